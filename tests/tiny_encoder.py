"""A transformers model of a few thousand random weights, with a tokenizer of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

WORDS = ("green", "garden", "jazz", "record", "old", "new", "river", "kitchen", "quiet")


def write_tiny_encoder(folder: Path) -> Path:
    """Write it to ``folder``; skips the test where transformers isn't installed."""
    transformers = pytest.importorskip("transformers")
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return folder
