"""Every method with every seed on the same cases."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from models.baselines import Method, NotApplicableError
from models.data.table import EventTable
from models.errors import DataError
from models.evaluation.entries import Entry
from models.evaluation.label_metrics import label_figures
from models.evaluation.results import MethodResult, Progress, evaluate_method
from models.evaluation.served import ServedBundle
from models.protocols import PROTOCOLS, Split


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


def rank_all(
    entries: Sequence[Entry],
    table: EventTable,
    protocol: str,
    seeds: Sequence[int],
    validation: bool,
) -> Run:
    """Every entry with every seed on the same test cases, or validation cases.

    Raises:
        DataError: no test cases are left, or a bundle was trained under another protocol.
        ModelError: the protocol doesn't fit the data.
    """
    made = Run(ours=[entry.name for entry in entries if entry.bundles])
    for at, seed in enumerate(seeds):
        split = PROTOCOLS[protocol](table, seed)
        if not len(split.test):
            users = f"{len(table)} events of {len(table.users)} users"
            raise DataError(f"{protocol} leaves no test cases of {users}; give longer histories")
        for entry in entries:
            if entry.name not in made.skipped:
                _run_one(entry, entry.make(at), split, seed, made, validation)
    return made


def _run_one(
    entry: Entry, method: Method, split: Split, seed: int, made: Run, validation: bool
) -> None:
    cases = split.validation if validation else split.test
    for folder in entry.bundles:
        _check_protocol(ServedBundle(folder), split)
    try:
        with _bar(f"{entry.name}, seed {seed}", len(cases)) as progress:
            result = evaluate_method(method, split, seed, cases, progress)
    except NotApplicableError as error:
        made.skipped[entry.name] = str(error)
    else:
        made.results.setdefault(entry.name, []).append(result)
        if isinstance(method, ServedBundle) and entry.name not in made.labels:
            made.labels[entry.name] = label_figures(method, split, cases)


def _check_protocol(method: ServedBundle, split: Split) -> None:
    trained = method.training.get("protocol")
    # Both split by the same times.
    same = {trained, split.protocol} <= {"stream", "temporal"}
    if trained is not None and trained != split.protocol and not same:
        raise DataError(
            f"{method.path}: was trained with --protocol {trained}, so the test events of "
            f"{split.protocol} may have been in its training; train it with "
            f"--protocol {split.protocol}"
        )


@contextmanager
def _bar(what: str, total: int) -> Iterator[Progress]:
    with tqdm(
        total=total, desc=what, unit="case", disable=not sys.stderr.isatty(), leave=False
    ) as bar:
        yield lambda done: (bar.update(done), None)[1]
