"""Announced bundles are verified from end to end, and refused with a reason."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from streams.bundles.bundle import Bundle
from streams.errors import UnfitBundleError
from streams.metrics.label_values import REFUSAL_REASONS
from streams.runtime.bundles.announcement import Announcement, Announcements, encode
from streams.runtime.bundles.loading import check_fit, load_announced, manifest_checksum
from streams.settings import Settings, parse_settings
from tests.bundles import make_tiny_bundle

PLATFORMS = ("video", "shop", "news")


def settings(*platforms: str, **sections: object) -> Settings:
    names = [{"name": name} for name in platforms or PLATFORMS]
    return parse_settings({"platforms": names, "onnx": {"providers": "cpu"}, **sections})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "b", PLATFORMS)


def announced(folder: Path) -> Announcement:
    return Announcement(Bundle.load(folder).bundle_id, str(folder), manifest_checksum(folder))


def test_a_whole_bundle_is_made_ready(folder: Path) -> None:
    contract = Bundle.load(folder).contract
    serving = load_announced(settings(), announced(folder), contract)
    assert serving.engine.provider == "CPUExecutionProvider"
    assert len(serving.catalogue.items[0]) == 50
    assert serving.for_update(settings()).slab.layout.state_size == contract.state_size


def test_damage_and_other_content_are_refused(folder: Path, tmp_path: Path) -> None:
    said = announced(folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "items" / "shop.in.npy").write_bytes(b"")
    other = make_tiny_bundle(tmp_path / "other", PLATFORMS, seed=3)
    (tmp_path / "empty").mkdir()
    for place, reason in ((copy, "damaged"), (other, "other_content"), ("empty", "damaged")):
        uri = replace_uri(said, str(tmp_path / place))
        with pytest.raises(UnfitBundleError) as refused:
            load_announced(settings(), uri, None)
        assert refused.value.reason == reason
        assert str(tmp_path) in str(refused.value)
        assert reason in REFUSAL_REASONS
    with pytest.raises(UnfitBundleError, match="announced was 0000"):
        load_announced(settings(), Announcement("0000", said.uri, said.checksum), None)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("s3://x/y", "file: URI"),
        ("file://[", "isn't a URI"),
        ("file://\u2100/b", "isn't a URI"),
        ("a\0b", "can't be a folder"),
        ("file:///a%00b", "can't be a folder"),
        ("/" + "a" * 5000, "can't be read"),
        ("", "can't be read"),
    ],
)
def test_what_is_no_folder_is_refused_whatever_was_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, why: str
) -> None:
    """One such record would otherwise end every worker, at each start again."""
    monkeypatch.chdir(tmp_path)
    value = encode(Announcement("b", uri, "0"))
    known = Announcements()
    known.take([(b"b", value)])
    said = known.active()
    assert said is not None
    with pytest.raises(UnfitBundleError, match=why) as refused:
        load_announced(settings(), said, None)
    assert refused.value.reason == "damaged"
    assert "announce" in str(refused.value)


def replace_uri(said: Announcement, uri: str) -> Announcement:
    return Announcement(said.bundle, uri, said.checksum)


def test_what_cannot_carry_the_states_on_is_refused(folder: Path) -> None:
    bundle = Bundle.load(folder)
    present = bundle.contract
    check_fit(settings(), bundle, present)
    check_fit(settings(), bundle, replace(present, platforms=PLATFORMS[:2]))
    unfit = [
        ("platforms", settings("video", "radio"), present),
        ("platforms", settings(), replace(present, platforms=("shop", "video", "news"))),
        ("platforms", settings(), replace(present, platforms=(*PLATFORMS, "radio"))),
        ("actions", settings(), replace(present, actions=present.actions[::-1])),
        ("state_size", settings(bundles={"max_state_size": 16}), present),
    ]
    for reason, given, before in unfit:
        with pytest.raises(UnfitBundleError) as refused:
            check_fit(given, bundle, before)
        assert refused.value.reason == reason
        assert reason in REFUSAL_REASONS
