"""Run methods under a protocol and put figures on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.baselines.base import Float32, Method
from models.contract import ACTIONS
from models.data.table import EventTable, Int64
from models.metrics.calibration import Calibration, Reliability, fit_temperature
from models.metrics.ranking_metrics import Float64, case_metrics, coverage, self_information
from models.metrics.ranks import Ranks, contest, open_items, rank_scores
from models.protocols.cases import GROUPS, Cases, Split

TOP: Final = 10
DAY_MS: Final = 86_400_000
_BLOCK: Final = 256
# Validation cases that the temperature of the calibration is chosen on.
_CALIBRATED: Final = 128

Bools = NDArray[np.bool_]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TargetResult:
    """One method on one target platform, on the same cases for every method.

    Attributes:
        cases: n cases; positions in the split's ``test`` (or ``validation``).
        metrics: each of ``models.metrics.ranking_metrics.METRICS`` for each case, float64 [n].
        user: int64 [n], the user of each case.
        group: int64 [n], positions in ``models.protocols.cases.GROUPS``.
        action: int64 [n], positions in ``models.contract.ACTIONS``, of the ranked events.
        history: int64 [n], number of events in the history.
        age_days: float64 [n], days from the last event of the history to the case's event.
        since_days: float64 [n], under ``stream`` the days since training ended, else 0.
        coverage: share of the catalogue in the top 10 lists, ranked over the full catalogue
            without the history's items.
        self_information: mean of -log2 p(item) over these lists, in bits.
        calibration: how far the scores can be read as probabilities.
    """

    cases: Int64
    metrics: dict[str, Float64]
    user: Int64
    group: Int64
    action: Int64
    history: Int64
    age_days: Float64
    since_days: Float64
    coverage: float
    self_information: float
    calibration: Calibration

    def figures(self) -> dict[str, float]:
        """Means over the cases, the two figures of the lists, and the calibration's."""
        means = {name: float(values.mean()) for name, values in self.metrics.items()}
        lists = {"coverage": self.coverage, "self_information": self.self_information}
        return means | lists | self.calibration._asdict() | {"cases": float(len(self.cases))}

    def by_group(self) -> dict[str, dict[str, float]]:
        """Means over the cases of each group that has any."""
        return self._means(_masks(self.group, GROUPS))

    def by_action(self) -> dict[str, dict[str, float]]:
        """Means over the cases whose event is of each action that has any."""
        return self._means(self.actions())

    def actions(self) -> dict[str, Bools]:
        """Each action that any case's event is of -> bool [n], its cases."""
        return _masks(self.action, ACTIONS)

    def _means(self, parts: Mapping[str, Bools]) -> dict[str, dict[str, float]]:
        return {
            name: {metric: float(values[own].mean()) for metric, values in self.metrics.items()}
            | {"cases": float(own.sum())}
            for name, own in parts.items()
        }


def _masks(position: Int64, names: Sequence[str]) -> dict[str, Bools]:
    """Each name whose position is in ``position`` [n] -> bool [n], where it is."""
    masks = {name: position == at for at, name in enumerate(names)}
    return {name: own for name, own in masks.items() if own.any()}


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method with one seed.

    Attributes:
        targets: target platform's name to its result.
        fit_s: seconds of learning (for a bundle: of stepping through the histories).
        score_s: seconds of scoring and ranking.
    """

    targets: dict[str, TargetResult]
    fit_s: float
    score_s: float


def evaluate_method(
    method: Method,
    split: Split,
    seed: int,
    cases: Cases | None = None,
    progress: Progress = lambda done: None,
) -> MethodResult:
    """Fit a method and rank every case.

    Args:
        method: a baseline or a bundle.
        split: what a protocol made.
        seed: of the method.
        cases: what to rank, the split's test cases if None.
        progress: told how many cases are done since it was last told.

    Raises:
        NotApplicableError: the data lacks what the method needs.
    """
    cases = split.test if cases is None else cases
    started = time.perf_counter()
    method.fit(split, seed)
    fitted = time.perf_counter()
    target = split.targets(cases)
    results = {
        name: _evaluate_target(method, split, cases, np.flatnonzero(target == at), progress)
        for at, name in enumerate(split.table.platforms)
        if (target == at).any()
    }
    return MethodResult(results, fitted - started, time.perf_counter() - fitted)


def _evaluate_target(
    method: Method, split: Split, cases: Cases, chosen: Int64, progress: Progress
) -> TargetResult:
    own = cases.select(chosen)
    platform = int(split.table.platform[own.row[0]])
    reliability = Reliability(_temperature(method, split, platform))
    above, tied, lists = [], [], []
    for begin in range(0, len(own), _BLOCK):
        block = own.select(slice(begin, begin + _BLOCK))
        scores = method.scores(block, platform)
        candidates = contest(scores, block, split.table)
        ranks = rank_scores(*candidates)
        reliability.add(candidates)
        above.append(ranks.above)
        tied.append(ranks.tied)
        lists.append(_top(scores, block, split.table))
        progress(len(block))
    shown = np.concatenate(lists)
    return TargetResult(
        cases=chosen,
        metrics=case_metrics(Ranks(np.concatenate(above), np.concatenate(tied))),
        user=split.table.user[own.row].astype(np.int64),
        group=split.groups(own).astype(np.int64),
        action=split.table.action[own.row].astype(np.int64),
        history=own.end - own.start,
        age_days=_age_days(split.table, own),
        since_days=_since_days(split, own),
        coverage=coverage(shown, len(split.table.items[platform])),
        self_information=self_information(shown, _training_counts(split, platform)),
        calibration=reliability.result(),
    )


def _temperature(method: Method, split: Split, platform: int) -> float:
    """Chosen on some validation cases; 1 where there are none of the platform."""
    rows = np.flatnonzero(split.targets(split.validation) == platform)
    some = split.validation.select(np.random.default_rng(0).permutation(rows)[:_CALIBRATED])
    if not len(some):
        return 1.0
    return fit_temperature(contest(method.scores(some, platform), some, split.table))


def _top(scores: Float32, cases: Cases, table: EventTable) -> Int64:
    """int64 [n, TOP]: the best items of the full catalogue that aren't in the history."""
    open_ = np.where(open_items(cases, table, scores.shape[1]), scores, -np.inf)
    count = min(TOP, scores.shape[1])
    best = np.argpartition(-open_, count - 1, axis=1)[:, :count]
    shown = np.take_along_axis(open_, best, axis=1) > -np.inf
    return np.where(shown, best, -1).astype(np.int64)


def _age_days(table: EventTable, cases: Cases) -> Float64:
    last = np.maximum(cases.end - 1, cases.start)
    days: Float64 = (table.time_ms[cases.row] - table.time_ms[last]) / DAY_MS
    return days


def _since_days(split: Split, cases: Cases) -> Float64:
    if cases.appeared_ms is None:
        return np.zeros(len(cases))
    ended = split.table.time_ms[split.train].max()
    days: Float64 = (split.table.time_ms[cases.row] - ended) / DAY_MS
    return days


def _training_counts(split: Split, platform: int) -> Int64:
    rows = split.train & (split.table.platform == platform)
    size = len(split.table.items[platform])
    return np.bincount(split.table.item[rows], minlength=size).astype(np.int64)
