"""Grafana panels as small values, and the JSON that Grafana (11 and newer) reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from streams.metrics.metrics import Metrics

WIDTH: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE = "green", "#EAB839", "red", "blue"
_SUFFIXES: Final = ("", "_bucket", "_count", "_sum")
_NAME: Final = re.compile(r"\b(?:interest|process)_[a-z0-9_]+")
_QUOTED: Final = re.compile(r'"[^"]*"')

Kind = Literal["stat", "timeseries", "table"]
Step = tuple[float | None, str]


class UnknownMetricError(Exception):
    """A query names a metric that ``streams/metrics/metrics.py`` doesn't have."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called (``{{label}}`` is filled in)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what it answers.
        description: how to read it, and what to do when it is bad.
        queries: its series.
        kind: Grafana's type.
        unit: Grafana's unit (``s``, ``short``, ``percentunit``, ``bytes``, ``ops``).
        steps: colours from a value on, the first from ``None``; one colour: none.
        width: of 24 columns.
        text: texts in place of values.
        empty: text and colour where there is no value.
        minimum: lower end of the axis; None: from the data.
    """

    title: str
    description: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    unit: str = "short"
    steps: Sequence[Step] = ((None, BLUE),)
    width: int = 8
    text: Sequence[tuple[float, str, str]] = ()
    empty: tuple[str, str] | None = None
    minimum: float | None = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels of the same height."""

    title: str
    panels: Sequence[Panel]
    height: int = 8


def metric_names(expr: str) -> set[str]:
    """Names of our metrics and of process metrics in a PromQL expression."""
    return set(_NAME.findall(_QUOTED.sub('""', expr)))


def known_names() -> set[str]:
    """Every series name that a worker's scrape can have."""
    families = [family.name for family in Metrics().registry.collect()]
    entries = Metrics(process=False).reference()
    histograms = {entry.name for entry in entries if entry.type == "histogram"}
    names = {entry.name for entry in entries} | {f for f in families if f.startswith("process_")}
    names |= {f + "_total" for f in families if f.startswith("process_")}
    return names | {name + suffix for name in histograms for suffix in _SUFFIXES}


def check_names(exprs: Iterable[str]) -> None:
    """Hold that the worker exports every metric that the expressions name.

    Raises:
        UnknownMetricError: it doesn't; the message has the names.
    """
    unknown = {name for expr in exprs for name in metric_names(expr)} - known_names()
    if unknown:
        raise UnknownMetricError(
            f"no metric is called {', '.join(sorted(unknown))}; streams/metrics/metrics.py has all"
        )


def dashboard_json(
    uid: str, title: str, description: str, rows: Sequence[Row], **fields: Any
) -> dict[str, Any]:
    """The dashboard's model.

    Raises:
        UnknownMetricError: a query names a metric that no worker exports.
        ValueError: the panels of a row are wider than a screen.
    """
    check_names(query.expr for row in rows for panel in row.panels for query in panel.queries)
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "timezone": "",
        "panels": _placed(rows),
        **fields,
    }


def _placed(rows: Sequence[Row]) -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        if sum(panel.width for panel in row.panels) > WIDTH:
            raise ValueError(f"row {row.title!r} is wider than {WIDTH} columns")
        header = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        placed.append(
            {"id": len(placed) + 1, "type": "row", "title": row.title, "collapsed": False,
             "gridPos": header, "panels": []}
        )  # fmt: skip
        left = 0
        for panel in row.panels:
            place = {"x": left, "y": top + 1, "w": panel.width, "h": row.height}
            placed.append({"id": len(placed) + 1, "gridPos": place, **_panel_json(panel)})
            left += panel.width
        top += row.height + 1
    return placed


def _panel_json(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "targets": [
            _target(panel, chr(ord("A") + number), query)
            for number, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }


def _target(panel: Panel, reference: str, query: Query) -> dict[str, Any]:
    at_once = panel.kind == "table"
    return {
        "refId": reference,
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": at_once,
        "range": not at_once,
        "format": "table" if at_once else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"value": value, "color": color} for value, color in panel.steps]
    mappings = [
        {"type": "value", "options": {f"{value:g}": {"text": text, "color": color}}}
        for value, text, color in panel.text
    ]
    if panel.empty is not None:
        shown = {"text": panel.empty[0], "color": panel.empty[1]}
        mappings.append({"type": "special", "options": {"match": "null+nan", "result": shown}})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": mappings,
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
    }
    if panel.minimum is not None:
        defaults["min"] = panel.minimum
    if panel.kind == "timeseries":
        marked = len(panel.steps) > 1
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 10,
            "showPoints": "never",
            "thresholdsStyle": {"mode": "line" if marked else "off"},
        }
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {
            "colorMode": "background",
            "graphMode": "none",
            "textMode": "value",
            "justifyMode": "center",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    if panel.kind == "table":
        return {"showHeader": True}
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
