"""Items without a training event: their titles may speak, if validation says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.config import preset
from models.items.encoders import HashedEncoder
from models.protocols import abxi
from models.protocols.cases import Cases, Split
from models.recurrence.network import Network
from models.training.infer import Validation
from models.training.prepare import fitting, make_network, titles_of
from models.training.unseen import LOWERED, settle_unseen
from tests.people import people_table

SIZES = {"dim": 16, "hidden": 8, "text_dim": 12, "title_dim": 8}


def network_of(split: Split) -> Network:
    config = fitting(preset("small", **SIZES).model, split.table)
    encoder = HashedEncoder.fit(titles_of(split.table.items), config.text_dim, config.tokens)
    return make_network(config, split.training, encoder, 0.0, 0).eval()


def without(split: Split, items: list[int]) -> Split:
    """The split with all training events of these items of the first platform taken out."""
    gone = (split.table.platform == 0) & np.isin(split.table.item, items)
    none = np.zeros(0, np.int64)
    test = Cases(none, none, none, None)
    return Split("abxi", split.table, split.train & ~gone, split.validation, test)


def test_rows_change_only_where_an_item_is_unseen_and_validation_gains() -> None:
    split = without(abxi(people_table(), 0), list(range(20)))
    network = network_of(split)
    with torch.no_grad():  # as after training: pushed far down
        network.items.bias[:20] = -50.0
    ids, bias = network.items.ids.clone(), network.items.bias.clone()
    table, cases = split.table, split.validation
    taken = (table.platform[cases.row] == 0) & (table.item[cases.row] < 20)
    chosen = settle_unseen(network, Validation(split, cases.select(taken), 64))
    assert set(chosen) == {"video"}
    assert chosen["video"] in LOWERED
    assert not network.items.ids[:20].any()
    usual = float(bias.detach()[20:40].median())
    assert network.items.bias[:20].tolist() == pytest.approx(20 * [usual - chosen["video"]])
    assert torch.equal(network.items.ids[20:], ids[20:])
    assert torch.equal(network.items.bias[20:], bias[20:])


def test_where_all_items_are_seen_or_nobody_takes_new_ones_nothing_changes() -> None:
    split = abxi(people_table(), 0)
    network = network_of(split)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert settle_unseen(network, Validation(split, split.validation, 64)) == {}
    none = split.validation.select(slice(0, 0))
    assert settle_unseen(network, Validation(without(split, [3]), none, 64)) == {}
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
