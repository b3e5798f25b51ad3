"""What an evaluation found, as one plain dictionary: the report's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from models.evaluation.evaluate import Bools, MethodResult, TargetResult
from models.metrics.ranking_metrics import Float64, paired_bootstrap
from models.metrics.ranks import Int64

HEADLINE: Final = ("hr@5", "hr@10", "ndcg@10", "mrr")


@dataclass(slots=True)
class Run:
    """Results of several methods on the same cases.

    Attributes:
        results: name -> one result for each seed.
        skipped: name -> why the method couldn't run on this data.
        ours: names that are bundles; all others are baselines.
        labels: bundle -> target -> figures of its interest labels, of the first seed.
    """

    results: dict[str, list[MethodResult]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    ours: list[str] = field(default_factory=list)
    labels: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def targets(self) -> list[str]:
        """Target platforms, in the order of the data."""
        seen: dict[str, None] = {}
        for seeds in self.results.values():
            seen |= dict.fromkeys(seeds[0].targets)
        return list(seen)


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
    """Target -> group of cases (``models.protocols.protocols.GROUPS``) -> figures."""
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
    """Target -> ``history`` and ``age_days`` -> figures of each range of them.

    Ranges follow the quintiles of the cases, so that each has enough of them.
    """
    return {
        target: {
            name: _slices(getattr(seeds[0].targets[target], name), _case_means(seeds, target))
            for name in ("history", "age_days")
        }
        for target in seeds[0].targets
    }


def _slices(values: Any, metrics: Mapping[str, Float64]) -> list[dict[str, Any]]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 6), method="lower"))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
    return [
        {
            "from": float(values[place == at].min()),
            "to": float(values[place == at].max()),
            "cases": int((place == at).sum()),
            **{name: round(float(metrics[name][place == at].mean()), 6) for name in HEADLINE},
        }
        for at in np.unique(place)
    ]


def _case_means(seeds: Sequence[MethodResult], target: str) -> dict[str, Float64]:
    """Each metric of each case, mean over the seeds."""
    results: list[TargetResult] = [result.targets[target] for result in seeds]
    return {
        name: np.mean([result.metrics[name] for result in results], axis=0)
        for name in results[0].metrics
    }


def against_best(run: Run) -> dict[str, dict[str, dict[str, Any]]]:
    """Bundle -> target -> metric -> the best baseline of that metric, and the bootstrap.

    ``gain`` is ours divided by the baseline's; ``low`` and ``high`` are the ends of the 95%
    interval of the difference; ``p`` is the share of the draws without a gain.
    """
    baselines = [name for name in run.results if name not in run.ours]
    if not baselines:
        return {}
    return {
        name: {target: _compare(run, name, baselines, target) for target in run.targets()}
        for name in run.ours
        if name in run.results
    }


def _compare(run: Run, ours: str, baselines: list[str], target: str) -> dict[str, Any]:
    mine = _case_means(run.results[ours], target)
    user = run.results[ours][0].targets[target].user
    theirs = {name: _case_means(run.results[name], target) for name in baselines}
    made = {}
    for metric in HEADLINE:
        best = max(baselines, key=lambda name: float(theirs[name][metric].mean()))
        made[metric] = {"baseline": best} | _against(mine[metric], theirs[best][metric], user)
    return made


def _against(mine: Float64, theirs: Float64, user: Int64) -> dict[str, Any]:
    """How much better one method is than another on the same n cases [n], and how surely."""
    low, high, p = paired_bootstrap(mine, theirs, user)
    value, base = float(mine.mean()), float(theirs.mean())
    return {
        "difference": round(value - base, 6),
        "gain": round(value / base, 4) if base else None,
        "low": round(low, 6),
        "high": round(high, 6),
        "p": p,
    }


def ablations(
    run: Run, ours: str, about: Mapping[str, tuple[Sequence[str], str]]
) -> dict[str, dict[str, Any]]:
    """Ablation -> what it changes, and each target's figures against those of ours.

    ``actions`` has them for the cases whose next event is of each action, where there are several:
    what other weights of actions do to the next purchase.

    Args:
        run: results of the ablations and of ours, with the same seeds: a mean over other
            trainings of ours would differ by what a seed gives.
        ours: what the ablations are ablations of.
        about: ablation -> its settings, and what its training took.
    """
    return {
        name: {
            "changes": list(changes),
            "training": took,
            "targets": {target: _changed(run, name, ours, target) for target in run.targets()},
            "actions": {target: _by_action(run, name, ours, target) for target in run.targets()},
        }
        for name, (changes, took) in about.items()
        if name in run.results and ours in run.results
    }


def _by_action(run: Run, name: str, ours: str, target: str) -> dict[str, dict[str, Any]]:
    """Action of the next event -> what changed on its cases; nothing where all are of one."""
    actions = run.results[ours][0].targets[target].actions()
    if len(actions) < 2:
        return {}
    return {
        action: {"cases": int(own.sum()), **_changed(run, name, ours, target, own)}
        for action, own in actions.items()
    }


def _changed(
    run: Run, name: str, ours: str, target: str, own: Bools | slice = slice(None)
) -> dict[str, dict[str, Any]]:
    """Headline figure -> its value, and what the paired bootstrap says of the change.

    Args:
        own: bool [n], the cases that count; all n of the target by default.
    """
    changed, usual = (_case_means(run.results[one], target) for one in (name, ours))
    user = run.results[name][0].targets[target].user
    return {
        metric: {"value": round(float(changed[metric][own].mean()), 6)}
        | _against(changed[metric][own], usual[metric][own], user[own])
        for metric in HEADLINE
    }


def report(run: Run, shuffled: Run | None, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain types; ``about`` says what was run and comes first."""
    seconds = {
        name: {
            "fit": round(sum(result.fit_s for result in seeds), 2),
            "score": round(sum(result.score_s for result in seeds), 2),
        }
        for name, seeds in run.results.items()
    }
    return {
        **about,
        "ours": run.ours[0] if run.ours else None,
        "methods": {name: method_figures(seeds) for name, seeds in run.results.items()},
        "ties_shuffled": {}
        if shuffled is None
        else {name: method_figures(seeds) for name, seeds in shuffled.results.items()},
        "against_best": against_best(run),
        "groups": {name: group_figures(seeds) for name, seeds in run.results.items()},
        "actions": {name: action_figures(seeds) for name, seeds in run.results.items()},
        "slices": {name: slice_figures(seeds) for name, seeds in run.results.items()},
        "labels": run.labels,
        "not_applicable": run.skipped,
        "seconds": seconds,
    }
