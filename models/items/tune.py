"""Tune a text encoder by LoRA on titles of items that the same people liked.

LoRA (Hu et al., ICLR 2022) adds a product of two thin matrices to each linear layer and trains
only these; afterwards they are merged into the weights, so that the result is a transformers
model folder as any other. The loss is InfoNCE with the other pairs of a batch as negatives, as
for sentence pairs (Henderson et al., 2017; Reimers & Gurevych, EMNLP 2019).

Needs peft: ``pip install 'interest-stream[tune]'``.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.contract import ACTIONS
from models.data.table import EventTable
from models.errors import ModelError
from models.items.encoders import embed, folder_digest, load_encoder

Progress = Callable[[int, int], object]
Pair = tuple[str, str]
# Having looked at an item, or given it back, isn't to like it.
_LIKED: Final = tuple(ACTIONS.index(name) for name in ("click", "purchase", "cart", "favourite"))


@dataclass(frozen=True)
class Tuning:
    """How to tune.

    Attributes:
        steps: batches.
        pairs: pairs of titles in a batch.
        rank: of the added matrices.
        rate: learning rate.
        temperature: of the cosines.
        seed: of order and weights.
    """

    steps: int
    pairs: int = 32
    rank: int = 8
    rate: float = 5e-4
    temperature: float = 0.05
    seed: int = 0


def liked_pairs(table: EventTable) -> list[Pair]:
    """Titles of two different items that a person liked one after the other, on any platforms.

    Args:
        table: training events.
    """
    titles = [title for items in table.items for title in items.titles]
    liked = table.select(np.isin(table.action, _LIKED))
    item, user = liked.global_item, liked.user
    near = np.flatnonzero((user[1:] == user[:-1]) & (item[1:] != item[:-1]))
    named = ((titles[item[at]], titles[item[at + 1]]) for at in near.tolist())
    return [(one, other) for one, other in named if one and other and one != other]


def tuned_encoder(
    folder: Path,
    pairs: Sequence[Pair],
    tuning: Tuning,
    cache: Path,
    progress: Progress = lambda done, count: None,
) -> Path:
    """A model folder with the tuned weights; made once for the same model, pairs and settings.

    Args:
        folder: a transformers model.
        pairs: titles that belong together.
        tuning: how.
        cache: folder where the result is kept.
        progress: called with (batches done, batches).

    Raises:
        ModelError: peft isn't installed, or there are no pairs.
    """
    if find_spec("peft") is None:
        raise ModelError(
            "tuning the text encoder needs peft; `pip install 'interest-stream[tune]'`"
        )
    if not pairs:
        raise ModelError(
            "no person liked two items with titles one after the other, so there is nothing to "
            "tune the text encoder on; leave --tune-text out"
        )
    made = cache / f"{folder.name}-tuned-{_digest(folder, pairs, tuning)}"
    if not (made / "config.json").is_file():
        draft = made.with_name(made.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        tokenizer, model = load_encoder(folder)
        tune(model, tokenizer, pairs, tuning, progress).save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        draft.replace(made)
    return made


def tune(
    model: Any, tokenizer: Any, pairs: Sequence[Pair], tuning: Tuning, progress: Progress
) -> Any:
    """The model with the trained matrices merged into its weights."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(tuning.seed)
    rng = np.random.default_rng(tuning.seed)
    config = LoraConfig(
        r=tuning.rank, lora_alpha=2 * tuning.rank, lora_dropout=0.05, target_modules="all-linear"
    )
    added = get_peft_model(model, config)
    added.train()
    trained = [one for one in added.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=tuning.rate)
    for step in range(tuning.steps):
        chosen = [pairs[at] for at in rng.integers(len(pairs), size=tuning.pairs)]
        loss = pair_loss(added, tokenizer, chosen, tuning.temperature)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        progress(step + 1, tuning.steps)
    return added.merge_and_unload().eval()


def pair_loss(model: Any, tokenizer: Any, pairs: Sequence[Pair], temperature: float) -> Tensor:
    """Mean InfoNCE of m pairs of titles in both directions: a scalar, in nats."""
    titles = [one for one, _ in pairs] + [other for _, other in pairs]  # 2 m
    found = F.normalize(embed(model, tokenizer, titles), dim=-1)  # [2 m, E]
    left, right = found.chunk(2)  # [m, E] each
    logits = left @ right.T / temperature  # [m, m]
    # The same title twice in a batch isn't the other's negative.
    names = np.unique(titles, return_inverse=True)[1].reshape(2, -1)  # [2, m]
    own = torch.eye(len(pairs), dtype=torch.bool)  # [m, m]
    same = (names[0][:, None] == names[0]) | (names[1][:, None] == names[1])  # [m, m]
    logits = logits.masked_fill(torch.from_numpy(same) & ~own, -torch.inf)  # [m, m]
    right_one = torch.arange(len(pairs))  # [m]
    return 0.5 * (F.cross_entropy(logits, right_one) + F.cross_entropy(logits.T, right_one))


def _digest(folder: Path, pairs: Sequence[Pair], tuning: Tuning) -> str:
    digest = hashlib.sha256(f"{folder_digest(folder)} {tuning}".encode())
    for one, other in pairs:
        digest.update(f"{one}\0{other}\0".encode())
    return digest.hexdigest()[:16]
