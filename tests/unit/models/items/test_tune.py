"""LoRA on a tiny random transformers model: no weights have to be at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.contract import ACTIONS
from models.data.table import TableBuilder
from models.errors import ModelError
from models.items import tune as module
from models.items.encoders import TransformersEncoder, embed, load_encoder
from models.items.tune import Tuning, liked_pairs, pair_loss, tuned_encoder
from tests.tiny_encoder import WORDS, write_tiny_encoder

# What belongs together shares no word, so only the pairs can tell.
PAIRS = [("green garden", "old river"), ("jazz record", "quiet kitchen"), ("new", "record old")]
TUNING = Tuning(steps=40, pairs=3, rank=4, rate=1e-2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("peft")
    torch.manual_seed(0)
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def quality(folder: Path) -> float:
    tokenizer, model = load_encoder(folder)
    with torch.no_grad():
        return float(pair_loss(model, tokenizer, PAIRS, TUNING.temperature))


def test_tuned_titles_that_belong_together_are_nearer_and_it_is_done_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int]] = []
    made = tuned_encoder(folder, PAIRS, TUNING, tmp_path, lambda *at: steps.append(at))
    assert steps[-1] == (40, 40)
    assert quality(made) < 0.5 * quality(folder)
    features = TransformersEncoder(made, 4, tmp_path).features(["jazz record", "green garden"])
    assert np.allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-3)

    monkeypatch.setattr(module, "tune", None)
    assert tuned_encoder(folder, PAIRS, TUNING, tmp_path) == made
    with pytest.raises(TypeError):
        tuned_encoder(folder, PAIRS[:2], TUNING, tmp_path)


def test_only_the_added_matrices_are_trained_and_no_step_changes_nothing(
    folder: Path, tmp_path: Path
) -> None:
    tokenizer, model = load_encoder(folder)
    same = tuned_encoder(folder, PAIRS, Tuning(steps=0), tmp_path)
    again = load_encoder(same)[1]
    with torch.no_grad():
        one, other = (embed(some, tokenizer, list(WORDS)) for some in (model, again))
    torch.testing.assert_close(one, other)
    made = load_encoder(tuned_encoder(folder, PAIRS, TUNING, tmp_path))[1]
    words = "embeddings.word_embeddings.weight"
    assert torch.equal(made.state_dict()[words], model.state_dict()[words])


def test_pairs_are_of_titled_items_that_one_person_liked_in_turn() -> None:
    builder = TableBuilder()
    for item, title in (("a", "green garden"), ("b", "old river"), ("c", ""), ("d", "jazz")):
        builder.add_item("video", item, title)
        builder.add_item("shop", item, f"shop {title}".strip() if title else "")
    purchase, browse = ACTIONS.index("purchase"), ACTIONS.index("browse")
    rows = [
        ("u", "video", purchase, "a", 1), ("u", "shop", browse, "d", 2),
        ("u", "shop", purchase, "b", 3), ("u", "shop", purchase, "b", 4),
        ("u", "shop", purchase, "c", 5), ("u", "video", purchase, "d", 6),
        ("v", "video", purchase, "a", 1),
    ]  # fmt: skip
    for row in rows:
        builder.add_event(*row)
    assert liked_pairs(builder.build()) == [("green garden", "shop old river")]


def test_a_title_in_two_pairs_of_a_batch_is_not_told_apart(folder: Path) -> None:
    tokenizer, model = load_encoder(folder)
    with torch.no_grad():
        twice = pair_loss(model, tokenizer, [PAIRS[0], PAIRS[0]], 0.05)
    assert float(twice) == pytest.approx(0.0, abs=1e-6)


def test_what_is_missing_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="nothing to tune"):
        tuned_encoder(folder, [], TUNING, tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"interest-stream\[tune\]"):
        tuned_encoder(folder, PAIRS, TUNING, tmp_path)
