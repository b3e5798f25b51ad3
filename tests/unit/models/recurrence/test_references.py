"""The reference cells: they see the past, not the future, and learn like the served one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.config import ModelConfig, preset
from models.protocols import split_for
from models.recurrence.cell import Events
from models.recurrence.references import CELLS
from models.training.fit import fit
from tests.people import people_table

CONFIG = ModelConfig(dim=8, hidden=6, title_dim=4)


@torch.no_grad()
@pytest.mark.parametrize("name", CELLS)
def test_an_event_counts_from_then_on_and_not_before(name: str) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](CONFIG, 2, 6)
    events = Events(
        torch.randn(2, 7, CONFIG.item_dim),
        torch.randint(0, 2, (2, 7)),
        torch.randint(0, 6, (2, 7)),
        torch.rand(2, 7) * 1e6,
    )
    item = events.item.clone()
    item[:, 3] += 1.0
    rest = nn.Identity()
    before = cell.read(cell.sequence(events, rest), rest)
    after = cell.read(cell.sequence(events._replace(item=item), rest), rest)
    assert before.shape == (2, 7, CONFIG.dim + CONFIG.title_dim)
    assert torch.allclose(before[:, :3], after[:, :3], atol=1e-6)
    for t in range(3, 7):
        assert not torch.allclose(before[:, t], after[:, t], atol=1e-6)


@pytest.mark.parametrize("name", ["gru", "attention"])
def test_a_reference_learns(name: str) -> None:
    split = split_for(people_table(users=40), "abxi", 0)
    sizes = {"dim": 16, "hidden": 8, "text_dim": 12, "negatives": 32, "batch": 16}
    chosen = preset("small", **sizes, cell=name, epochs=4, rate=3e-3, dropout=0.1)
    epochs = fit(split, chosen.model, chosen.train).epochs
    assert epochs[-1].loss < epochs[0].loss
