"""What only a study's report has: ablations, sizes, the growth of a new platform."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from models.report.figures import HEADLINE
from models.report.html import plots_row, table
from models.report.plots import Line, lines
from models.report.text import next_purchases


def ablations(found: Mapping[str, Any]) -> str:
    """What each changed setting gains or costs beside ours, for the next purchase too."""
    purchases = next_purchases(found)
    rows = {
        name: {"settings": " ".join(row["changes"]), "training": row["training"]}
        | {
            column: value
            for target, figures in row["targets"].items()
            for column, value in _change(target, figures["ndcg@10"]).items()
        }
        | {
            column: value
            for target, changed in purchases.items()
            for column, value in _change(f"{target}, purchases:", changed[name]["ndcg@10"]).items()
        }
        for name, row in found.get("ablations", {}).items()
    }
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    return (
        f"<h2>Ablations</h2><p>{_choosing(found)} Each against ours of the same seed, with the 95% "
        "interval of a paired bootstrap over users, which doesn't know what another seed would "
        "give.</p>" + table(columns, rows, None)
    )


def _change(target: str, figure: Mapping[str, float]) -> dict[str, Any]:
    return {
        f"{target} ndcg@10": figure["value"],
        f"{target} change": f"{figure['difference']:+.4f} "
        f"({figure['low']:+.4f} to {figure['high']:+.4f})",
    }


def _choosing(found: Mapping[str, Any]) -> str:
    """Which cases the ablations and sizes of a study ranked."""
    if "compared" not in found:
        return ""
    count = len(found["compared"]["seeds"])
    return (
        f"{found['compared']['part'].capitalize()} cases, {count} seed{'s' if count > 1 else ''}: "
        "defaults are chosen from these, so the test part stays unread."
    )


def sizes(found: Mapping[str, Any]) -> str:
    """What each model costs beside what it is good for, the fastest first.

    Of a study ours and its sizes (``sizes``): a variant that differs in something else is no
    point on this curve. Of other reports each bundle.
    """
    every = found.get("speed", {})
    sizes = found.get("sizes", {name: found["methods"].get(name, {}) for name in every})
    speeds = sorted(
        ((name, every[name]) for name in sizes if name in every),
        key=lambda row: row[1]["step_us_batch_1"],
    )
    if len(speeds) < 2:
        return ""
    rows = {
        name: {
            "state, bytes": f"{speed['state_bytes']:,}",
            "step, µs": f"{speed['step_us_batch_1']:.0f}",
            "events/s at 64": f"{speed['rows_per_s_batch_64']:,}",
        }
        | {f"{target} ndcg@10": figures["ndcg@10"] for target, figures in sizes[name].items()}
        for name, speed in speeds
    }
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    ticks = [f"{speed['step_us_batch_1']:.0f} µs" for _, speed in speeds]
    plots = [
        lines(column, ticks, [Line(column, [row.get(column) for row in rows.values()])])
        for column in columns[3:]
    ]
    drawn = table(columns, rows, found["ours"])
    about = f"<p>{_choosing(found)}</p>"
    return f"<h2>What a step costs and what it gives</h2>{about}{drawn}{plots_row(plots)}"


def growth_curves(found: Mapping[str, Any]) -> str:
    """A platform taken for a new one: what few of its data give, in both ways of training."""
    growth = found.get("growth")
    if not growth:
        return ""
    ways = {"grown": "grown", "from nothing": "scratch"}
    ticks = [f"{point['share']:.0%}: {point['events']:,} events" for point in growth["points"]]
    plots = [
        lines(
            f"{growth['platform']}: {metric}",
            ticks,
            [
                Line(name, [point[way][metric] for point in growth["points"]])
                for name, way in ways.items()
            ],
        )
        for metric in HEADLINE
    ]
    count = len(growth["seeds"])
    return (
        f"<h2>{escape(growth['platform'])} as a new platform</h2><p>Grown onto a model of the "
        "others, and trained from nothing on the same events, by the share of its people whose "
        f"events are there; {growth['part']} cases of everybody, {count} "
        f"seed{'s' if count > 1 else ''}.</p>" + plots_row(plots)
    )
