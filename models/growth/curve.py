"""How few of a platform's data are enough: grown onto a model, or trained from nothing on them.

A model is trained on the other platforms. Then the platform comes with the events of a few of
its people, drawn at random, and with what these did elsewhere: once they train the platform's
own parts on the frozen model (``models.growth.new_platform``), once a model from nothing. Both
rank the same validation cases of everybody, most of whom no training has seen on the platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.config import Preset, TrainConfig
from models.data.table import EventTable, on_platforms
from models.errors import DataError
from models.growth.new_platform import FEW, fit_platform, validated_on_last
from models.protocols import PROTOCOLS, split_for
from models.protocols.cases import Bool, Cases, Split
from models.training.checkpoint import Checkpoint
from models.training.fit import Trained, fit, validation_of
from models.training.infer import Validation, figures, rank

SHARES: Final = (0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class Point:
    """What one share of a platform's people gives.

    Attributes:
        share: of the people with training events on the platform.
        people: how many that are.
        events: theirs on the platform.
        grown: figures of the platform grown onto the frozen model.
        scratch: figures of the model trained from nothing.
    """

    share: float
    people: int
    events: int
    grown: dict[str, float]
    scratch: dict[str, float]


def growth_curve(
    table: EventTable, name: str, protocol: str, chosen: Preset, shares: Sequence[float] = SHARES
) -> list[Point]:
    """Train both ways on each share, with the same settings, and rank.

    The platform's events count for the trend only where they are of the drawn people.

    Args:
        table: events of several platforms.
        name: the platform that is taken for a new one.
        protocol: whose validation cases are ranked; its test cases are in no training.
        chosen: the sizes of all models, and how the first one is trained; what both others do
            otherwise, as data are few, is ``models.growth.new_platform.FEW``.
        shares: of the platform's people, ascending.

    Raises:
        DataError: the platform isn't in the data or is alone there, or a share is too small
            to train or to validate on.
        ModelError: the protocol doesn't fit the data.
    """
    _check(table, name)
    others = [platform for platform in table.platforms if platform != name]
    config = replace(chosen.train, **FEW)
    split = PROTOCOLS[protocol](on_platforms(table, [*others, name]), chosen.train.seed)
    cases = validation_of(validated_on_last(split), config).cases
    base = _model(split_for(on_platforms(split.training, others), None, config.seed), chosen)
    points = []
    for share, drawn in zip(shares, _drawn(split, shares, config.seed), strict=True):
        seen = _seen(split, drawn)
        known = seen.training
        few = validated_on_last(split_for(known.select(drawn[known.user]), None, config.seed))
        made = (fit_platform(base, few, config), fit(few, chosen.model, config))
        grown, scratch = (_ranked(one, seen, cases, config) for one in made)
        events = int((few.table.platform == len(others)).sum())
        points.append(Point(share, int(drawn.sum()), events, grown, scratch))
    return points


def _check(table: EventTable, name: str) -> None:
    if name not in table.platforms or len(table.platforms) < 2:
        raise DataError(
            f"platform {name!r} can't be taken for a new one: the data has "
            f"{', '.join(table.platforms)}; name one of several"
        )


def _model(split: Split, chosen: Preset) -> Checkpoint:
    """A model of the other platforms."""
    trained = fit(split, chosen.model, chosen.train)
    basis = trained.encoder.basis
    return Checkpoint.of(split.table, trained.network, basis, exact=True, metrics={}, training={})


def _drawn(split: Split, shares: Sequence[float], seed: int) -> list[Bool]:
    """For each share bool [U]: some of the last platform's people, each a part of the next."""
    training = split.training
    here = np.unique(training.user[training.platform == len(training.platforms) - 1])
    order = np.random.default_rng(seed).permutation(here)
    made = [np.zeros(len(training.users), bool) for _ in shares]
    for drawn, share in zip(made, shares, strict=True):
        drawn[order[: round(share * len(order))]] = True
    return made


def _seen(split: Split, drawn: Bool) -> Split:
    """The split of one that knows the last platform by the drawn people alone."""
    table = split.table
    known = (table.platform < len(table.platforms) - 1) | drawn[table.user]
    observed = None if split.observed is None else split.observed & known
    return replace(split, train=split.train & known, observed=observed)


def _ranked(trained: Trained, seen: Split, cases: Cases, config: TrainConfig) -> dict[str, float]:
    return figures(rank(trained.network, Validation(seen, cases, config.length)))
