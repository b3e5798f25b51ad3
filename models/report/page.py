"""The report as one HTML page that needs no server, no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from models.report.plots import Line, bars, lines
from models.report.report import HEADLINE
from models.report.text import next_purchases, time_note

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --back: #fff; --faint: #d8dee4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --back: #0d1117; --faint: #30363d; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 1360px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
  gap: 1rem 2rem; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .3rem; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
.grid { stroke: var(--faint); } .axis { stroke: var(--ink); stroke-width: 1.5; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--faint); white-space: nowrap; }
td { text-align: right; font-variant-numeric: tabular-nums; }
th[scope=row], th:first-child { text-align: left; } tr.ours { font-weight: 600; }
"""


def html_page(found: Mapping[str, Any], curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page.

    Args:
        found: what ``models.report.report.report`` made.
        curves: bundle's name to its epochs, each with ``loss`` and ``score``.
    """
    seeds = len(found["seeds"])
    title = f"{found['data']}, protocol {found['protocol']}"
    about = f"{found['part'].capitalize()} cases, {seeds} seed{'s' if seeds > 1 else ''}."
    body = [f"<h1>{escape(title)}</h1><p>{about} {_speed(found)} {escape(time_note(found))}</p>"]
    body += _targets(found, found["methods"], "")
    body += _targets(found, found["ties_shuffled"], ", ties shuffled")
    body += [_against(found), _skipped(found), *_groups(found), *_actions(found), *_slices(found)]
    body += [_ablations(found), _sizes(found), _growth(found), _labels(found), _curves(curves)]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style>{''.join(body)}</html>\n"
    )


def _speed(found: Mapping[str, Any]) -> str:
    if "step_us_batch_1" not in found:
        return ""
    return (
        f"One step on one core: {found['step_us_batch_1']:.0f} µs at batch 1, "
        f"{found['rows_per_s_batch_64']:,.0f} events/s at batch 64; "
        f"{found['state_bytes']:,} bytes a user."
    )


def _targets(found: Mapping[str, Any], methods: Mapping[str, Any], note: str) -> list[str]:
    """For each target platform a table of all figures, and bars of the headline ones."""
    targets = dict.fromkeys(target for figures in methods.values() for target in figures)
    made = []
    for target in targets:
        rows = {name: figures[target] for name, figures in methods.items() if target in figures}
        cases = next(iter(rows.values()))["cases"]
        made.append(f"<h2>{escape(target)}{note} ({cases:,} cases)</h2>")
        columns = [name for name in next(iter(rows.values())) if name not in ("std", "cases")]
        made.append(_table(columns, rows, found["ours"]))
        made.append(_plots(_bars(rows, metric, found["ours"]) for metric in HEADLINE))
    return made


def _table(columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]], ours: str | None) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr{" class=ours" if name == ours else ""}><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{_cell(row, column)}</td>" for column in columns)
        + "</tr>"
        for name, row in rows.items()
    )
    return f'<div class="wide"><table><tr><th></th>{head}</tr>{body}</table></div>'


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, float):
        return escape(str(value))
    spread = row.get("std", {}).get(column)
    return f"{value:.4f}" + (f" ± {spread:.4f}" if spread else "")


def _bars(rows: Mapping[str, Mapping[str, Any]], metric: str, ours: str | None) -> str:
    ordered = sorted(rows.items(), key=lambda row: -float(row[1][metric]))
    values = [(n, float(r[metric]), float(r.get("std", {}).get(metric, 0))) for n, r in ordered]
    return bars(metric, values, ours)


def _plots(figures: Any) -> str:
    return f'<div class="plots">{"".join(figures)}</div>'


def _against(found: Mapping[str, Any]) -> str:
    columns = ("baseline", "gain", "difference", "low", "high", "p")
    made = [
        f"<h2>{escape(name)} against the best baseline of each figure on {escape(target)}</h2>"
        "<p>Paired bootstrap over users: ends of the 95% interval of the difference, and the "
        "share of the draws without a gain.</p>" + _table(columns, metrics, None)
        for name, targets in found["against_best"].items()
        for target, metrics in targets.items()
    ]
    return "".join(made)


def _skipped(found: Mapping[str, Any]) -> str:
    listed = "".join(
        f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found["not_applicable"].items()
    )
    return f"<h2>Not run</h2><ul>{listed}</ul>" if listed else ""


def _groups(found: Mapping[str, Any]) -> list[str]:
    """Users and items by what training knew of them, where there is more than one group."""
    made = []
    for target in dict.fromkeys(t for groups in found["groups"].values() for t in groups):
        named = {
            name: groups[target] for name, groups in found["groups"].items() if target in groups
        }
        places = list(next(iter(named.values())))
        if len(places) > 1:
            cases = next(iter(named.values()))
            heads = [f"{place} ({cases[place]['cases']:,})" for place in places]
            rows = {
                name: dict(zip(heads, (g[place]["ndcg@10"] for place in places), strict=True))
                for name, g in named.items()
            }
            made.append(f"<h2>{escape(target)}: NDCG@10 by what training knew (cases)</h2>")
            made.append(_table(heads, rows, found["ours"]))
    return made


def _actions(found: Mapping[str, Any]) -> list[str]:
    """How well the next event of each action ranks, where there is more than one."""
    made = []
    for target in dict.fromkeys(t for targets in found["actions"].values() for t in targets):
        named = {n: targets[target] for n, targets in found["actions"].items() if target in targets}
        first = next(iter(named.values()))
        if len(first) > 1:
            heads = {f"{action} ({row['cases']:,})": action for action, row in first.items()}
            rows = {
                name: {head: actions[action]["ndcg@10"] for head, action in heads.items()}
                for name, actions in named.items()
            }
            made.append(f"<h2>{escape(target)}: NDCG@10 of the next event by action (cases)</h2>")
            made.append(_table(list(heads), rows, found["ours"]))
    return made


def _ablations(found: Mapping[str, Any]) -> str:
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
        "give.</p>" + _table(columns, rows, None)
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


def _slices(found: Mapping[str, Any]) -> list[str]:
    """Quality by length of the history and by age of its last event."""
    words = {"history": "events in the history", "age_days": "days since the last event"}
    plots = []
    for target in dict.fromkeys(t for slices in found["slices"].values() for t in slices):
        for name, what in words.items():
            drawn = {n: s[target][name] for n, s in found["slices"].items() if target in s}
            ranges = next(iter(drawn.values()))
            if len(ranges) > 1:
                places = [f"{row['from']:.0f} to {row['to']:.0f}" for row in ranges]
                found_lines = [
                    Line(method, [row["ndcg@10"] for row in rows]) for method, rows in drawn.items()
                ]
                plots.append(lines(f"{target}: NDCG@10 by {what}", places, found_lines))
    return ["<h2>Where the quality comes from</h2>", _plots(plots)] if plots else []


def _sizes(found: Mapping[str, Any]) -> str:
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
    places = [f"{speed['step_us_batch_1']:.0f} µs" for _, speed in speeds]
    plots = [
        lines(column, places, [Line(column, [row.get(column) for row in rows.values()])])
        for column in columns[3:]
    ]
    table = _table(columns, rows, found["ours"])
    about = f"<p>{_choosing(found)}</p>"
    return f"<h2>What a step costs and what it gives</h2>{about}{table}{_plots(plots)}"


def _growth(found: Mapping[str, Any]) -> str:
    """A platform taken for a new one: what few of its data give, in both ways of training."""
    growth = found.get("growth")
    if not growth:
        return ""
    ways = {"grown": "grown", "from nothing": "scratch"}
    places = [f"{point['share']:.0%}: {point['events']:,} events" for point in growth["points"]]
    plots = [
        lines(
            f"{growth['platform']}: {metric}",
            places,
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
        f"seed{'s' if count > 1 else ''}.</p>" + _plots(plots)
    )


def _labels(found: Mapping[str, Any]) -> str:
    """Interest labels against the user's own past."""
    made = [
        f"<h2>{escape(name)}: {row['labels']} labels of {escape(target)}, by vectors and by the "
        f"user's own past</h2>"
        + _table(list(row["vectors"]), {key: row[key] for key in ("vectors", "past")}, "vectors")
        for name, targets in found["labels"].items()
        for target, row in targets.items()
    ]
    return "".join(made)


def _curves(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Loss and validation score of each epoch."""
    longest = max((len(epochs) for epochs in curves.values()), default=0)
    if longest < 2:
        return ""
    places = [str(epoch + 1) for epoch in range(longest)]
    plots = [
        lines(
            f"{what} by epoch",
            places,
            [Line(name, [epoch.get(what) for epoch in epochs]) for name, epochs in curves.items()],
        )
        for what in ("loss", "score")
    ]
    return "<h2>Training</h2>" + _plots(plots)
