"""What a target gets of the bridge: the sum of parts is what the network itself would score."""

from __future__ import annotations

import pytest
import torch

from models.protocols.cases import Split
from models.recurrence.network import Network
from models.training import bridge_choice
from models.training.bridge import bridge_factors, widened
from models.training.bridge_choice import LOUDNESS, SILENT, TREND, Choice, choose
from models.training.fit import evaluate
from models.training.infer import Validation
from tests.unit.models.on_both import network_of, split_on_both

LENGTH = 64


@pytest.fixture
def split() -> Split:
    return split_on_both()


def bridges_of(split: Split) -> list[Network]:
    made = [bridge_factors(split.training, 64, inside) for inside in (False, True)]
    network = network_of(split)
    return [widened(network, torch.from_numpy(one)) for one in made if one is not None]


def serve(network: Network, choice: Choice, split: Split) -> list[float]:
    """NDCG@10 of each target by the network itself, which gets the choice."""
    network.heads.usual.data[:, 0] = choice.loud
    network.heads.usual.data[:, 1:] += choice.trend
    return [
        one["ndcg@10"]
        for one in evaluate(network, Validation(split, split.validation, LENGTH)).values()
    ]


@pytest.mark.parametrize("choice", [SILENT, Choice(0, 80.0, 0.5), Choice(1, 20.0, 2.0)])
def test_a_choice_is_worth_what_the_network_then_comes_to(split: Split, choice: Choice) -> None:
    chosen = bridges_of(split)[choice.bridge]
    vectors = bridge_choice._loud_interests(chosen, Validation(split, split.validation, LENGTH))
    worth = []
    for p in range(2):
        mine = split.targets(split.validation) == p
        cases = split.validation.select(mine)
        worth.extend(bridge_choice._quality(chosen, split, cases, vectors[mine], [choice]).tolist())
    assert worth == pytest.approx(serve(chosen, choice, split), abs=0.01)


def test_no_other_choice_is_better(split: Split) -> None:
    chosen = choose(bridges_of(split), Validation(split, split.validation, LENGTH))
    best = [serve(bridges_of(split)[one.bridge], one, split)[p] for p, one in enumerate(chosen)]
    for bridge in (0, 1):
        for loud in LOUDNESS[::3]:
            for trend in TREND[::2]:
                other = serve(bridges_of(split)[bridge], Choice(bridge, loud, trend), split)
                assert all(mine >= its - 0.01 for mine, its in zip(best, other, strict=True))


def test_without_cases_all_stays_silent(split: Split) -> None:
    none = split.validation.select(slice(0, 0))
    assert choose(bridges_of(split), Validation(split, none, LENGTH)) == [SILENT, SILENT]
