"""Small SVG plots for the report page: bars and lines, no library and no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

# Okabe and Ito's palette, which people with colour blindness can tell apart.
COLOURS: Final = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8c6d31",
    "#7f7f7f",
    "#6a3d9a",
    "#b15928",
)
_WIDTH: Final = 640
_LINE_HEIGHT: Final = 260
_MARGIN: Final = 58
_BAR: Final = 24
_LABEL: Final = 150


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: its name and its points' heights, None where there is none."""

    name: str
    values: Sequence[float | None]


def bars(title: str, rows: Sequence[tuple[str, float, float]], marked: str | None = None) -> str:
    """Horizontal bars of (name, value, spread); the one named ``marked`` stands out."""
    most = max((value + spread for _, value, spread in rows), default=0.0) or 1.0
    room = _WIDTH - _LABEL - 90
    parts = []
    for at, (name, value, spread) in enumerate(rows):
        y = at * _BAR
        length = room * value / most
        colour = COLOURS[1] if name == marked else COLOURS[0]
        parts.append(_text(_LABEL - 8, y + 16, name, "end"))
        parts.append(
            f'<rect x="{_LABEL}" y="{y + 4}" width="{length:.1f}" height="16" fill="{colour}"/>'
        )
        if spread:
            reach = room * spread / most
            parts.append(
                f'<path class="axis" d="M{_LABEL + length - reach:.1f} {y + 12}h{2 * reach:.1f}"/>'
            )
        parts.append(_text(_LABEL + room * (value + spread) / most + 6, y + 16, f"{value:.4f}"))
    return _figure(title, "".join(parts), len(rows) * _BAR + 4)


def lines(title: str, ticks: Sequence[str], drawn: Sequence[Line]) -> str:
    """Lines over named ticks, with a legend; the vertical axis begins at zero."""
    values = [value for line in drawn for value in line.values if value is not None]
    most = max(values, default=0.0) or 1.0
    top, bottom = 10, _LINE_HEIGHT - 30
    step = (_WIDTH - _MARGIN - 20) / max(1, len(ticks) - 1)
    parts = [_grid(most, top, bottom)]
    for at, tick in enumerate(ticks):
        anchor = "start" if not at else "end" if at == len(ticks) - 1 else "middle"
        parts.append(_text(_MARGIN + at * step, _LINE_HEIGHT - 10, tick, anchor))
    for at, line in enumerate(drawn):
        points = [
            (_MARGIN + index * step, bottom - (bottom - top) * value / most)
            for index, value in enumerate(line.values)
            if value is not None
        ]
        parts.append(_polyline(points, COLOURS[at % len(COLOURS)], line.name))
    legend, height = _legend([line.name for line in drawn])
    return _figure(title, "".join(parts) + legend, height)


def _grid(most: float, top: float, bottom: float) -> str:
    made = []
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        made.append(f'<path class="grid" d="M{_MARGIN} {y:.1f}H{_WIDTH - 20}"/>')
        made.append(_text(_MARGIN - 6, y + 4, f"{most * part / 4:.3g}", "end"))
    return "".join(made)


def _polyline(points: Sequence[tuple[float, float]], colour: str, name: str) -> str:
    where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points
    )
    return (
        f'<g><title>{escape(name)}</title><polyline points="{where}" fill="none" '
        f'stroke="{colour}" stroke-width="2"/>{dots}</g>'
    )


def _legend(names: Sequence[str]) -> tuple[str, int]:
    """Legend below the plot in columns of three, and the whole height."""
    made = []
    for at, name in enumerate(names):
        x = _MARGIN + (at % 3) * 195
        y = _LINE_HEIGHT + 14 + (at // 3) * 18
        colour = COLOURS[at % len(COLOURS)]
        made.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        made.append(_text(x + 16, y, name))
    return "".join(made), _LINE_HEIGHT + 8 + 18 * ((len(names) + 2) // 3)


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _figure(title: str, drawing: str, height: int) -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{drawing}</svg></figure>"
    )
