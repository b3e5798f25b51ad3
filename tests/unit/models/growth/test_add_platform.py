"""``train --add-platform``: a bundle with one platform more, and the rest to the bit as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.graph import example_inputs
from models.cli import train
from models.config import PRESETS
from models.data.table import on_platforms
from models.errors import ModelError
from models.evaluation.session import open_session
from streams.bundles.bundle import Bundle
from tests.native_files import write_jsonl
from tests.people import people_table
from tests.unit.models.cli.test_train import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events, a bundle of one platform, and one with a second."""
    made = tmp_path_factory.mktemp("grow")
    table = people_table()
    write_jsonl(on_platforms(table, ("video",)), made / "before")
    write_jsonl(table, made / "both")
    with pytest.MonkeyPatch.context() as patch:
        small = PRESETS["small"]
        model = replace(small.model, dim=16, hidden=8, text_dim=8, title_dim=8)
        patch.setattr("models.config.PRESETS", {"base": replace(small, model=model)})
        patch.setattr("models.cli.train.PRESETS", {"base": small})
        assert run(train, str(made / "before"), "--out", str(made / "old"), "--epochs=2",
                   "--set=batch=32") == 0  # fmt: skip
    assert run(train, str(made / "both"), "--out", str(made / "new"), "--epochs=3",
               "--add-platform=shop", f"--from={made / 'old'}") == 0  # fmt: skip
    return made


@pytest.fixture(scope="module")
def bundles(folder: Path) -> tuple[Bundle, Bundle]:
    """Both pass the worker's loader: checksums, golden outputs; export checked the parity."""
    return Bundle.load(folder / "old"), Bundle.load(folder / "new")


def test_the_new_platform_comes_last_with_titles_and_labels(
    bundles: tuple[Bundle, Bundle],
) -> None:
    old, new = bundles
    assert (old.contract.platforms, new.contract.platforms) == (("video",), ("video", "shop"))
    assert set(new.labels) == {"video", "shop"}
    assert set(new.metrics["validation"]) == {"video", "shop"}
    meta = new.items["shop"].meta
    assert meta is not None
    assert meta[5]["category"] == "jazz"
    (added,) = new.training["added"]
    assert (added["platform"], added["train"]["batch"]) == ("shop", 16)
    assert new.metrics["parity"]["parity_chain_state"] < 2**-8
    assert new.metrics["parity"]["parity_adapters"] < 2**-8  # of shop too, each action's
    assert new.metrics["parity"]["parity_labels"] < 0.01  # of both


def test_the_old_platforms_files_are_the_same_bytes(folder: Path) -> None:
    for name in ("ids.msgpack", "meta.msgpack", "in.npy", "out.npy"):
        files = [folder / bundle / "items" / f"video.{name}" for bundle in ("old", "new")]
        assert files[0].read_bytes() == files[1].read_bytes(), name


def test_old_labels_and_titles_give_the_same_bits(bundles: tuple[Bundle, Bundle]) -> None:
    old, new = bundles
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, old.contract.vector_dim)).astype(np.float32)
    assert old.labels["video"].names == new.labels["video"].names
    assert np.array_equal(old.labels["video"].shares(vectors), new.labels["video"].shares(vectors))
    assert old.text is not None
    assert new.text is not None
    titles = ["bright jazz green", "old river"]
    for mine, theirs in zip(
        old.text.encode("video", titles), new.text.encode("video", titles), strict=True
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_graphs_give_the_old_platforms_the_same_bits(
    bundles: tuple[Bundle, Bundle], rows: int
) -> None:
    old, new = bundles
    feeds = {k: v.numpy() for k, v in example_inputs(old.contract, rows).items()}
    states = [open_session(one.step_path).run(None, feeds)[0] for one in bundles]
    assert states[0].tobytes() == states[1].tobytes()
    vectors = [
        np.asarray(open_session(one.migrate_path).run(None, {"state": states[0]})[0])
        for one in bundles
    ]
    assert vectors[1].shape == (rows, 2, new.contract.vector_dim)
    assert vectors[0][:, 0].tobytes() == vectors[1][:, 0].tobytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--add-platform=shop"], "needs --from"),
        (["--from=x"], "goes with --add-platform"),
        (["--add-platform=shop", "--from=nowhere"], "nowhere isn't there"),
        (["--add-platform=shop", "--from=old", "--set=dim=8"], "only settings of training"),
        (["--add-platform=shop", "--from=old", "--preset=small"], "leave them out"),
        (["--add-platform=video", "--from=old"], "in the model already"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, more: list[str], message: str) -> None:
    given = [one.replace("=old", f"={folder / 'old'}") for one in more]
    with pytest.raises(ModelError, match=message):
        run(train, str(folder / "both"), "--out", str(folder / "x"), *given)
