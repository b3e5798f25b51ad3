"""How far ours stays ahead while the world moves: gains by months since training ended."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

import numpy as np

from models.evaluation.run import Run
from models.report.comparisons import against
from models.report.figures import case_means
from models.report.html import plots_row, table
from models.report.plots import Line, lines

MONTH_DAYS: Final = 30
METRIC: Final = "ndcg@10"
BY_MONTH: Final = "over_time"
"""Key of the report."""
_EVEN: Final = "as good as the best baseline"


def by_month(run: Run) -> dict[str, dict[str, dict[str, Any]]]:
    """Bundle -> target -> the best baseline of all months, and ours against it in each.

    Nothing where the protocol doesn't know when training ended. ``months`` has, for each 30 days
    since then that have cases, ``month`` (from 1), ``cases``, both values of NDCG@10, and
    ``gain``, ``difference`` and its 95% interval as ``against_best`` has them.
    """
    baselines = [name for name in run.results if name not in run.ours]
    served = [name for name in run.ours if name in run.results]
    if not baselines or not served:
        return {}
    timed = [t for t in run.targets() if run.results[served[0]][0].targets[t].since_days.any()]
    return {name: {t: _months(run, name, baselines, t) for t in timed} for name in served if timed}


def _months(run: Run, ours: str, baselines: list[str], target: str) -> dict[str, Any]:
    result = run.results[ours][0].targets[target]
    theirs = {name: case_means(run.results[name], target)[METRIC] for name in baselines}
    best = max(baselines, key=lambda name: float(theirs[name].mean()))
    mine = case_means(run.results[ours], target)[METRIC]
    month = (result.since_days // MONTH_DAYS).astype(np.int64) + 1
    rows = []
    for number in np.unique(month).tolist():
        own = month == number
        rows.append(
            {"month": number, "cases": int(own.sum())}
            | {"ours": round(float(mine[own].mean()), 6)}
            | {"best": round(float(theirs[best][own].mean()), 6)}
            | against(mine[own], theirs[best][own], result.user[own])
        )
    return {"baseline": best, "months": rows}


def gain_plots(found: Mapping[str, Any]) -> str:
    """A plot for each target of each bundle's gain by month, and the table behind it."""
    drawn = found.get(BY_MONTH, {})
    if not drawn:
        return ""
    targets = dict.fromkeys(target for months in drawn.values() for target in months)
    plots = [_gain_plot(drawn, target) for target in targets]
    tables = [
        f"<h3>{escape(name)} on {escape(target)} against {escape(made['baseline'])}</h3>"
        + table(
            ["cases", "ours", "best", "gain", "low", "high"],
            {f"month {row['month']}": row for row in made["months"]},
            None,
        )
        for name, months in drawn.items()
        for target, made in months.items()
    ]
    return (
        "<h2>How far ours stays ahead</h2><p>NDCG@10 divided by that of the best baseline, by "
        f"months ({MONTH_DAYS} days) since training ended, without another training; low and high "
        "are the ends of the 95% interval of the difference, by a paired bootstrap over users.</p>"
        + plots_row(plots)
        + "".join(tables)
    )


def _gain_plot(drawn: Mapping[str, Any], target: str) -> str:
    shown = {name: months[target] for name, months in drawn.items() if target in months}
    numbers = sorted({row["month"] for made in shown.values() for row in made["months"]})
    even = Line(_EVEN, [1.0 for _ in numbers])
    gains = {
        name: {row["month"]: row["gain"] for row in made["months"]} for name, made in shown.items()
    }
    ours = [Line(name, [gain.get(number) for number in numbers]) for name, gain in gains.items()]
    ticks = [f"month {number}" for number in numbers]
    return lines(f"{target}: gain over the best baseline, by month", ticks, [*ours, even])
