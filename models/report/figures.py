"""Figures of methods over several seeds: means, spreads, by group, action and slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from models.evaluation.results import MethodResult, TargetResult
from models.metrics.ranking_metrics import Float64

HEADLINE: Final = ("hr@5", "hr@10", "ndcg@10", "mrr")


def method_figures(seeds: Sequence[MethodResult]) -> dict[str, dict[str, Any]]:
    """Target -> mean of each figure over the seeds, and ``std``, their spread (n - 1)."""
    return {
        target: mean_and_spread([result.targets[target].figures() for result in seeds])
        for target in seeds[0].targets
    }


def mean_and_spread(figures: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Each figure's mean over the seeds; ``std``, their spread (n - 1), where there are several."""
    values = {name: np.array([one[name] for one in figures]) for name in figures[0]}
    made: dict[str, Any] = {name: round(float(value.mean()), 6) for name, value in values.items()}
    if "cases" in made:
        made["cases"] = int(made["cases"])
    if len(figures) > 1:
        spread = {name: round(float(v.std(ddof=1)), 6) for name, v in values.items()}
        made["std"] = {name: value for name, value in spread.items() if name != "cases"}
    return made


def group_figures(seeds: Sequence[MethodResult]) -> dict[str, dict[str, dict[str, Any]]]:
    """Target -> group of cases (``models.protocols.cases.GROUPS``) -> figures."""
    return _figures_by(seeds, TargetResult.by_group)


def action_figures(seeds: Sequence[MethodResult]) -> dict[str, dict[str, dict[str, Any]]]:
    """Target -> action of the ranked event -> figures: how well the next purchase is ranked."""
    return _figures_by(seeds, TargetResult.by_action)


def _figures_by(
    seeds: Sequence[MethodResult], parts: Callable[[TargetResult], dict[str, dict[str, float]]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Target -> part of the cases -> figures, over the seeds that have cases in it."""
    made = {}
    for target in seeds[0].targets:
        found = [parts(result.targets[target]) for result in seeds]
        names = dict.fromkeys(name for one in found for name in one)
        made[target] = {
            name: mean_and_spread([one[name] for one in found if name in one]) for name in names
        }
    return made


def slice_figures(seeds: Sequence[MethodResult]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Target -> ``history``, ``age_days``, ``since_days`` -> figures of each range of them.

    Ranges follow the quintiles of the cases, so that each has enough of them.
    """
    return {
        target: {
            name: _slices(getattr(seeds[0].targets[target], name), case_means(seeds, target))
            for name in ("history", "age_days", "since_days")
            if name != "since_days" or seeds[0].targets[target].since_days.any()
        }
        for target in seeds[0].targets
    }


def _slices(values: Any, metrics: Mapping[str, Float64]) -> list[dict[str, Any]]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 6), method="lower"))
    slice_ = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
    return [
        {
            "from": float(values[slice_ == at].min()),
            "to": float(values[slice_ == at].max()),
            "cases": int((slice_ == at).sum()),
            **{name: round(float(metrics[name][slice_ == at].mean()), 6) for name in HEADLINE},
        }
        for at in np.unique(slice_)
    ]


def case_means(seeds: Sequence[MethodResult], target: str) -> dict[str, Float64]:
    """Each metric of each case, mean over the seeds."""
    results: list[TargetResult] = [result.targets[target] for result in seeds]
    return {
        name: np.mean([result.metrics[name] for result in results], axis=0)
        for name in results[0].metrics
    }
