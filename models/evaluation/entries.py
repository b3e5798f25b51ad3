"""What ``evaluate`` can be given: bundles, baselines, sums and chains of them, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.baselines import (
    LIVE_METHODS,
    METHODS,
    SLOW_METHODS,
    Blend,
    CategoryRules,
    Chain,
    Method,
    read_rules,
)
from models.errors import DataError
from models.evaluation.served import ServedBundle
from models.evaluation.step_speed import step_speed
from models.items.trend import ALL_TIME


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report.

    Attributes:
        name: what the report calls it.
        make: the method for the run's first seed, its second, ..., counted from 0.
        bundles: folders of the bundles in it, none for a baseline.
    """

    name: str
    make: Callable[[int], Method]
    bundles: tuple[Path, ...] = ()

    @property
    def shuffled(self) -> bool:
        """Whether bundles learned from shuffled ties: only there their test events are unseen."""
        return any(ServedBundle(b).training.get("ties") == "shuffled" for b in self.bundles)

    @property
    def sees_time(self) -> bool:
        """Whether a bundle has a trend of some days, which is counted up to the ranked event."""
        windows = [days for b in self.bundles for days in ServedBundle(b).contract.trend_days]
        return any(days < ALL_TIME for days in windows)


def parse_entry(text: str) -> Entry:
    """A method, one or several bundle folders, or a sum of such, with or without a name.

    Raises:
        DataError: it is none of these.
    """
    name, given, what = text.partition("=")
    known, chained, unknown = (what if given else text).partition(":")
    entry = _parse_sum(known)
    if chained:
        entry = _chain(entry, _parse_sum(unknown))
    return replace(entry, name=name) if given else entry


def _parse_sum(text: str) -> Entry:
    terms = [_parse_term(term) for term in text.split("+")]
    if len(terms) == 1:
        return terms[0]
    bundles = tuple(folder for term in terms for folder in term.bundles)
    label = "+".join(term.name for term in terms)
    return Entry(label, lambda at: Blend([term.make(at) for term in terms]), bundles)


def _chain(known: Entry, unknown: Entry) -> Entry:
    return Entry(
        f"{known.name}:{unknown.name}",
        lambda at: Chain(known.make(at), unknown.make(at)),
        known.bundles + unknown.bundles,
    )


def _parse_term(text: str) -> Entry:
    every = METHODS | LIVE_METHODS | SLOW_METHODS
    if text in every:
        return Entry(text, lambda at: every[text]())
    if text.endswith(".csv"):
        given = read_rules(Path(text))
        return Entry(Path(text).stem, lambda at: CategoryRules(given))
    folders = tuple(Path(folder) for folder in text.split(","))
    for folder in folders:
        if not (folder / "bundle.json").is_file():
            raise DataError(
                f"{folder}: neither a bundle (no bundle.json) nor a method; the methods are "
                f"{', '.join(every)}"
            )
    return Entry(folders[0].name, lambda at: ServedBundle(folders[at % len(folders)]), folders)


def speeds_of(entries: Sequence[Entry]) -> dict[str, dict[str, float]]:
    """Name -> step speed of the first bundle, for each entry that has one."""
    first = {entry.name: entry.bundles[0] for entry in reversed(entries) if entry.bundles}
    return {name: step_speed(first[name]) for name in reversed(first)}
