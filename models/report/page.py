"""The report as one HTML page that needs no server, no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from models.report.figures import HEADLINE
from models.report.html import STYLE, metric_bars, plots_row, table
from models.report.over_time import gain_plots
from models.report.plots import Line, lines
from models.report.study_sections import ablations, growth_curves, sizes
from models.report.text import time_remark


def html_page(found: Mapping[str, Any], curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page.

    Args:
        found: what ``models.report.assemble.report`` made.
        curves: bundle's name to its epochs, each with ``loss`` and ``score``.
    """
    seeds = len(found["seeds"])
    title = f"{found['data']}, protocol {found['protocol']}"
    about = f"{found['part'].capitalize()} cases, {seeds} seed{'s' if seeds > 1 else ''}."
    body = [f"<h1>{escape(title)}</h1><p>{about} {_speed(found)} {escape(time_remark(found))}</p>"]
    body += _targets(found, found["methods"], "")
    body += _targets(found, found["ties_shuffled"], ", ties shuffled")
    body += [_against(found), gain_plots(found), _skipped(found)]
    body += _parts(found, "groups", "NDCG@10 by what training knew")
    body += _parts(found, "actions", "NDCG@10 of the next event by action")
    body += _slices(found)
    body += [ablations(found), sizes(found), growth_curves(found), _labels(found), _curves(curves)]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style>{''.join(body)}</html>\n"
    )


def _speed(found: Mapping[str, Any]) -> str:
    if "step_us_batch_1" not in found:
        return ""
    return (
        f"One step on one core: {found['step_us_batch_1']:.0f} µs at batch 1, "
        f"{found['rows_per_s_batch_64']:,.0f} events/s at batch 64; "
        f"{found['state_bytes']:,} bytes a user."
    )


def _targets(found: Mapping[str, Any], methods: Mapping[str, Any], suffix: str) -> list[str]:
    """For each target platform a table of all figures, and bars of the headline ones."""
    targets = dict.fromkeys(target for figures in methods.values() for target in figures)
    made = []
    for target in targets:
        rows = {name: figures[target] for name, figures in methods.items() if target in figures}
        cases = next(iter(rows.values()))["cases"]
        made.append(f"<h2>{escape(target)}{suffix} ({cases:,} cases)</h2>")
        columns = [name for name in next(iter(rows.values())) if name not in ("std", "cases")]
        made.append(table(columns, rows, found["ours"]))
        made.append(plots_row(metric_bars(rows, metric, found["ours"]) for metric in HEADLINE))
    return made


def _against(found: Mapping[str, Any]) -> str:
    columns = ("baseline", "gain", "difference", "low", "high", "p")
    made = [
        f"<h2>{escape(name)} against the best baseline of each figure on {escape(target)}</h2>"
        "<p>Paired bootstrap over users: ends of the 95% interval of the difference, and the "
        "share of the draws without a gain.</p>" + table(columns, metrics, None)
        for name, targets in found["against_best"].items()
        for target, metrics in targets.items()
    ]
    return "".join(made)


def _skipped(found: Mapping[str, Any]) -> str:
    listed = "".join(
        f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found["not_applicable"].items()
    )
    return f"<h2>Not run</h2><ul>{listed}</ul>" if listed else ""


def _parts(found: Mapping[str, Any], kind: str, heading: str) -> list[str]:
    """NDCG@10 by part of the cases, for each target that has more than one part.

    Args:
        found: the report.
        kind: ``groups``, users and items by what training knew of them; or ``actions``, of the
            ranked event.
        heading: what follows the target's name.
    """
    made = []
    for target in dict.fromkeys(t for parts in found[kind].values() for t in parts):
        named = {n: parts[target] for n, parts in found[kind].items() if target in parts}
        first = next(iter(named.values()))
        if len(first) > 1:
            heads = {f"{part} ({row['cases']:,})": part for part, row in first.items()}
            rows = {
                name: {head: parts[part]["ndcg@10"] for head, part in heads.items()}
                for name, parts in named.items()
            }
            made.append(f"<h2>{escape(target)}: {heading} (cases)</h2>")
            made.append(table(list(heads), rows, found["ours"]))
    return made


def _slices(found: Mapping[str, Any]) -> list[str]:
    """Quality by length of the history and by age of its last event."""
    words = {
        "history": "events in the history",
        "age_days": "days since the last event",
        "since_days": "days since training ended",
    }
    plots = []
    for target in dict.fromkeys(t for slices in found["slices"].values() for t in slices):
        for name, what in words.items():
            slices = found["slices"].items()
            drawn = {n: s[target][name] for n, s in slices if name in s.get(target, ())}
            ranges: list[dict[str, Any]] = next(iter(drawn.values()), [])
            if len(ranges) > 1:
                ticks = [f"{row['from']:.0f} to {row['to']:.0f}" for row in ranges]
                found_lines = [
                    Line(method, [row["ndcg@10"] for row in rows]) for method, rows in drawn.items()
                ]
                plots.append(lines(f"{target}: NDCG@10 by {what}", ticks, found_lines))
    return ["<h2>Where the quality comes from</h2>", plots_row(plots)] if plots else []


def _labels(found: Mapping[str, Any]) -> str:
    """Interest labels against the user's own past."""
    made = [
        f"<h2>{escape(name)}: {row['labels']} labels of {escape(target)}, by vectors and by the "
        f"user's own past</h2>"
        + table(list(row["vectors"]), {key: row[key] for key in ("vectors", "past")}, "vectors")
        for name, targets in found["labels"].items()
        for target, row in targets.items()
    ]
    return "".join(made)


def _curves(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Loss and validation score of each epoch."""
    longest = max((len(epochs) for epochs in curves.values()), default=0)
    if longest < 2:
        return ""
    ticks = [str(epoch + 1) for epoch in range(longest)]
    plots = [
        lines(
            f"{what} by epoch",
            ticks,
            [Line(name, [epoch.get(what) for epoch in epochs]) for name, epochs in curves.items()],
        )
        for what in ("loss", "score")
    ]
    return "<h2>Training</h2>" + plots_row(plots)
