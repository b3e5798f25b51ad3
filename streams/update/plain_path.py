"""The plain case of a batch, as columns: nearly every record is an event of a known user.

``records`` has the rules, which apply log records one by one; that is the definition.
Here is the case that fills the log, for all records at once: events that can be read, of users
who are in memory and whose other records in the batch are such events too. Whether a record is
a repeat, was applied before or is new, is decided by the same rules (source marks, ``applied``);
what is new waits as columns, as the general path's events do. All other
records, and all records of the same keys, stay with the general path: records of different
keys don't touch each other, so only their order within a key matters.

``tests/unit/streams/update/test_plain_path.py`` holds that both ways have the same effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.effects.effects import LogBatch
from streams.log import codec
from streams.log.codec import EVENT_FORM, HEAD, HEAD_BYTES, VERSION
from streams.log.records import LogRecord, Via
from streams.update.context import UpdateContext
from streams.update.refused_records import problem_of
from streams.update.source_marks import Marks
from streams.windows.late_events import BIG
from streams.windows.step_columns import StepColumns

LOW_32: Final = np.uint64((1 << 32) - 1)
NOWHERE: Final = -1
"""Row of a key that has none."""
_head_of = itemgetter(slice(HEAD_BYTES))
_text_of = itemgetter(slice(HEAD_BYTES, None))

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(slots=True)
class Events:
    """Events as columns, in the log's order (all [n]).

    Attributes:
        offset: offset in the log.
        source_ms: Kafka timestamp of the source record.
        fresh: the source marks call it new.
        unknown: no catalogue knows the item.
        steps: what it would do to its user.
    """

    offset: Int64
    source_ms: Int64
    fresh: Bool
    unknown: Bool
    steps: StepColumns

    def take(self, where: Bool) -> Events:
        """Some of the events."""
        return Events(
            self.offset[where],
            self.source_ms[where],
            self.fresh[where],
            self.unknown[where],
            self.steps.take(where),
        )


Split = tuple[Events, list[tuple[int, LogRecord, bool]]]


@dataclass(slots=True)
class Keyed:
    """A batch with its keys read, as columns of equal length.

    Attributes:
        batch: records of the log.
        keys: as texts, all of users or local ids.
        row: slab row of each key; ``NOWHERE`` where the general path must look after it.
    """

    batch: LogBatch
    keys: list[str]
    row: Int64


def split(keyed: Keyed, context: UpdateContext, marks: Marks) -> Split | None:
    """The plain events of a batch, and the rest; advances the source marks.

    Returns:
        The plain events, and what is left to the general path: (index in the batch, record,
        fresh). None where a record can't be used, with nothing changed: all of the batch is then
        for the general path, which knows what to say about it.
    """
    values: list[Any] = keyed.batch.values
    special: list[int] = []
    raw, heads = values, _heads(values)
    if heads is None:  # not all are events
        special = [i for i, v in enumerate(values) if not v or v[0] != EVENT_FORM]
        raw = [v for v in values if v and v[0] == EVENT_FORM]
        heads = _heads(raw)
    others = _decode(keyed, special, context)
    if others is None or heads is None or not values:
        return None
    found = context.name_cache.find(list(map(_text_of, raw)))
    if found is None:
        return None
    index = np.delete(np.arange(len(values)), special)
    sources = np.empty((4, len(values)), np.int64)
    sources[:, index] = found[0], heads["partition"], heads["offset"], heads["sub"]
    for i, record in others.items():
        via = record.via
        sources[:, i] = context.name_cache.topic(via.topic), via.partition, via.offset, via.sub
    fresh = marks.advance_all(context.name_cache.topics, sources)
    events = _events(keyed, index, heads, found, fresh)
    touched = {keyed.keys[i] for i in special}
    plain = events.steps.row != NOWHERE
    if touched:
        plain &= np.array([keyed.keys[i] not in touched for i in index.tolist()], np.bool_)
    if plain.all() and not others:
        return events, []
    others |= {i: codec.decode(values[i]) for i in index[~plain].tolist()}
    rest = [(i, others[i], bool(fresh[i])) for i in sorted(others)]
    return events.take(plain), rest


def _decode(
    keyed: Keyed, special: list[int], context: UpdateContext
) -> dict[int, LogRecord] | None:
    """The records that aren't events; None where one can't be used."""
    records: dict[int, LogRecord] = {}
    for i in special:
        try:
            record = codec.decode(keyed.batch.values[i] or b"")
        except msgspec.DecodeError:
            return None
        if problem_of(keyed.keys[i], record, context) or not _is_small(record.via):
            return None
        records[i] = record
    return records


def _is_small(via: Via) -> bool:
    """Whether the position fits into columns."""
    return max(via.partition, via.offset, via.sub) < 1 << 62


def _heads(raw: Sequence[Any]) -> NDArray[Any] | None:
    """The numbers of events; None where one is no event, cut, or its time isn't one."""
    try:
        joined = b"".join(map(_head_of, raw))
    except TypeError:  # a value of None
        return None
    if len(joined) != HEAD_BYTES * len(raw):
        return None
    heads = np.frombuffer(joined, HEAD)
    time_ms = heads["time_ms"]
    usable = (heads["form"] == EVENT_FORM) & (heads["version"] == VERSION)
    usable &= (time_ms >= 0) & (time_ms < BIG)
    return heads if usable.all() else None


def _events(keyed: Keyed, index: Int64, heads: NDArray[Any], found: Int64, fresh: Bool) -> Events:
    _, platform, action, item, hash40, unknown = found
    identity = (heads["event_hash"] & LOW_32).astype(np.int64)
    offsets = np.array(keyed.batch.offsets, np.int64)
    steps = StepColumns(
        row=keyed.row[index],
        time_ms=heads["time_ms"].astype(np.int64),
        platform=platform,
        action=action,
        item=item,
        hash40=hash40,
        event=np.maximum(identity, 1),
        counted=np.ones(len(index), np.bool_),
    )
    source_ms = heads["source_ms"].astype(np.int64)
    return Events(offsets[index], source_ms, fresh[index], unknown > 0, steps)
