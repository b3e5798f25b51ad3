"""Tables, bars and rows of plots of the report page, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from models.report.plots import bars

STYLE: Final = """
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


def table(columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]], ours: str | None) -> str:
    """A table with a row for each name; the one named ``ours`` stands out."""
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


def metric_bars(rows: Mapping[str, Mapping[str, Any]], metric: str, ours: str | None) -> str:
    """Bars of one metric, the best first."""
    ordered = sorted(rows.items(), key=lambda row: -float(row[1][metric]))
    values = [(n, float(r[metric]), float(r.get("std", {}).get(metric, 0))) for n, r in ordered]
    return bars(metric, values, ours)


def plots_row(figures: Iterable[str]) -> str:
    """Plots beside each other."""
    return f'<div class="plots">{"".join(figures)}</div>'
