"""An entry of a vector topic as a line: for a person, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from streams.subscribe.ranking import ItemRanking
from streams.subscribe.schema import InterestUpdate, Tombstone

TITLES: Final = 3


def chosen(
    entries: Iterable[InterestUpdate | Tombstone], user: str | None, count: int | None
) -> Iterator[InterestUpdate | Tombstone]:
    """The entries of one id (None: all), at most ``count``; ends at the last one."""
    left = count if count is not None else -1
    if left == 0:
        return
    for entry in entries:
        if user is None or entry.id == user:
            yield entry
            left -= 1
            if left == 0:
                return


def as_line(
    entry: InterestUpdate | Tombstone, ranking: ItemRanking | None, width: int | None
) -> str:
    """One line for a person, cut to ``width`` columns (None: whole)."""
    if isinstance(entry, Tombstone):
        line = f"{'':8}  {entry.id:<16}  withdrawn"
    else:
        shares = sorted(entry.sources.items(), key=lambda pair: -pair[1])
        known = entry.event_ts_ms > 0
        latency = str(max(0, entry.published_ms - entry.event_ts_ms)) if known else "?"
        line = (
            f"{_clock(entry.published_ms)}  {entry.id:<16}  {entry.events:>3} events"
            f"  {latency:>5} ms  {' '.join(f'{name} {share:.0%}' for name, share in shares)}"
            f"  ->  {_meaning(entry, ranking)}"
        )
    return line if width is None or len(line) <= width else line[: max(1, width - 1)] + "…"


def as_json(entry: InterestUpdate | Tombstone) -> str:
    """One JSON object; a tombstone has ``"vector": null``."""
    if isinstance(entry, Tombstone):
        return json.dumps({"id": entry.id, "target": entry.target, "vector": None})
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    return json.dumps({**given, "vector": entry.vector.tolist()}, ensure_ascii=False)


def _meaning(update: InterestUpdate, ranking: ItemRanking | None) -> str:
    if ranking is None:
        head = " ".join(f"{number:+.2f}" for number in update.vector[:6])
        return f"[{head} … {len(update.vector)} numbers]"
    if ranking.bundle_id != update.bundle:
        return f"(vector of bundle {update.bundle}, items of {ranking.bundle_id})"
    return " | ".join(item.title for item in ranking.top(update.vector, TITLES))


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S")
