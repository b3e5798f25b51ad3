"""The report of an evaluation: as one plain dictionary, as JSON, and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.data.table import EventTable, shuffle_ties
from models.evaluation.entries import Entry, speeds_of
from models.evaluation.run import Run, rank_all
from models.evaluation.served import ServedBundle
from models.report.comparisons import against_best
from models.report.figures import action_figures, group_figures, method_figures, slice_figures
from models.report.over_time import BY_MONTH, by_month
from models.report.page import html_page


@dataclass(frozen=True, slots=True)
class Asked:
    """What an evaluation is asked for beside its entries and events.

    Attributes:
        data: name of the folder or file of the events.
        protocol: one of ``models.protocols.PROTOCOLS``.
        seeds: of the candidates and of the methods' own randomness.
        ties: order of events of one time: ``file``, ``shuffled``, or a report of ``both``.
        validation: whether the validation cases are ranked in place of the test's.
    """

    data: str
    protocol: str
    seeds: Sequence[int]
    ties: str = "both"
    validation: bool = False


def evaluate(entries: Sequence[Entry], table: EventTable, asked: Asked) -> dict[str, Any]:
    """The report of all entries under a protocol.

    Raises:
        DataError: no test cases are left, or a bundle was trained under another protocol.
        ModelError: the protocol doesn't fit the data.
    """
    in_file = [entry for entry in entries if not entry.shuffled]
    mixed = [entry for entry in entries if not entry.bundles or entry.shuffled]
    ties = asked.ties if table.time_ms.any() else "file"
    how = (asked.protocol, asked.seeds, asked.validation)
    plain = Run() if ties == "shuffled" else rank_all(in_file, table, *how)
    shuffled = None if ties == "file" else rank_all(mixed, shuffle_ties(table), *how)
    about = {
        "data": asked.data,
        "protocol": asked.protocol,
        "part": "validation" if asked.validation else "test",
        "seeds": list(asked.seeds),
        "sees_time": [entry.name for entry in entries if entry.sees_time],
    }
    speeds = speeds_of(entries)
    return report(plain, shuffled, about) | next(iter(speeds.values()), {}) | {"speed": speeds}


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
        BY_MONTH: by_month(run),
        "groups": {name: group_figures(seeds) for name, seeds in run.results.items()},
        "actions": {name: action_figures(seeds) for name, seeds in run.results.items()},
        "slices": {name: slice_figures(seeds) for name, seeds in run.results.items()},
        "labels": run.labels,
        "not_applicable": run.skipped,
        "seconds": seconds,
    }


def write_report(out: Path, found: dict[str, Any], entries: Sequence[Entry]) -> str:
    """Write ``out`` as JSON, and beside it the page, with the learning curves of bundles.

    Of several entries of one name (ours on ties in the file's order, and shuffled) the first
    one's curve is drawn, which is the main table's.

    Returns:
        The line that says where they are.
    """
    page = out.with_suffix(".html")
    curves = {
        entry.name: ServedBundle(entry.bundles[0]).training.get("epochs", [])
        for entry in reversed(entries)
        if entry.bundles
    }
    curves = {name: curves[name] for name in reversed(curves)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page.write_text(html_page(found, curves), encoding="utf-8")
    return f"\nwritten to {out} and {page}"
