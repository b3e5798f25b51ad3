"""How much better one method is than another on the same cases, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.evaluation.results import Bools
from models.evaluation.run import Run
from models.metrics.ranking_metrics import Float64, paired_bootstrap
from models.metrics.ranks import Int64
from models.report.figures import HEADLINE, case_means


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
    mine = case_means(run.results[ours], target)
    user = run.results[ours][0].targets[target].user
    theirs = {name: case_means(run.results[name], target) for name in baselines}
    made = {}
    for metric in HEADLINE:
        best = max(baselines, key=lambda name: float(theirs[name][metric].mean()))
        made[metric] = {"baseline": best} | against(mine[metric], theirs[best][metric], user)
    return made


def against(mine: Float64, theirs: Float64, user: Int64) -> dict[str, Any]:
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
    changed, usual = (case_means(run.results[one], target) for one in (name, ours))
    user = run.results[name][0].targets[target].user
    return {
        metric: {"value": round(float(changed[metric][own].mean()), 6)}
        | against(changed[metric][own], usual[metric][own], user[own])
        for metric in HEADLINE
    }
