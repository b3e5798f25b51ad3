"""What is left of an erased user in the changelog: values, pointers, marks. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from streams.admin.erasure.traces import Finding, Seen, Subject, Verdict, at_of, text_of
from streams.errors import DamagedError, StateError
from streams.log.keys import LOCAL, split_local_key
from streams.windows.layout import VERSION, Layout, entry_times, ring_entries
from streams.windows.stored_tail import Privacy
from streams.windows.stored_value import decode_pointer, decode_value


def states(records: Iterable[Seen], subject: Subject) -> Iterator[Finding]:
    """The changelog of the states: values, pointers, and what compaction will remove."""
    older: dict[bytes, list[Seen]] = {}
    last: dict[bytes, Seen] = {}
    pointer, keys = b"\x01" + subject.user.encode(), subject.keys
    for record in records:
        if record.key is None or record.key.startswith(b"\0"):
            continue
        mine = record.key in keys
        if not mine and subject.user and record.value == pointer:
            _note_local(record.key, subject)
            mine, keys = True, subject.keys
        if mine or record.key in last:
            if record.key in last:
                older.setdefault(record.key, []).append(last[record.key])
            last[record.key] = record
    for key, record in last.items():
        yield from _state(record, subject)
        if before := [r for r in older.get(key, ()) if r.value]:
            what = f"{len(before)} older values since offset {before[0].offset} of {text_of(key)}"
            yield before[-1].finding(Verdict.WAITS, what)


def _note_local(key: bytes, subject: Subject) -> None:
    """Look for the local id of a pointer's key from then on, if it is one."""
    name = text_of(key)
    if name.startswith(LOCAL):
        subject.locals.add(split_local_key(name))


def _state(record: Seen, subject: Subject) -> Iterator[Finding]:
    key, value = text_of(record.key), record.value
    if not value:
        return
    try:
        user = decode_pointer(value)
        stored = _stored(value) if user is None else None
    except StateError as error:
        yield record.finding(Verdict.LEFT, f"a value under {key} that can't be read: {error}")
        return
    if stored is None:
        if user and user == subject.user:
            yield record.finding(Verdict.LEFT, f"a pointer from {key} to the user")
        return
    yield from _history(record, key, stored, subject)
    privacy = stored.privacy
    if privacy.erased_ms >= 0:
        later = "refused" if privacy.refuse else "counted from nothing"
        subject.erased_ms = max(subject.erased_ms, privacy.erased_ms)
        until = at_of(privacy.erased_ms)
        what = f"the mark under {key}: nothing up to {until} counts, later events are {later}"
        yield record.finding(Verdict.KEPT, what)


SIZES: Final = 4
"""A stored value begins with its version, and the sizes of what follows."""


class _Stored(NamedTuple):
    """A state: events ever, those of before the erasure in its windows, local ids, wishes."""

    events: int
    before: int
    local_ids: int
    privacy: Privacy


def _stored(value: bytes) -> _Stored:
    if len(value) < SIZES or value[0] >> 4 != VERSION:
        raise DamagedError(f"{len(value)} bytes that aren't a state of this version")
    own = Layout(value[1], 8 * value[3], value[2])
    row, tail = decode_value(own, value)
    privacy = tail.privacy or Privacy()
    rows = [row, *(decode_value(own, view)[0] for _, view in privacy.views if view)]
    times = (entry_times(ring_entries(own, r), int(r["base_ms"])) for r in rows)
    before = sum(int((found <= privacy.erased_ms).sum()) for found in times)
    return _Stored(int(row["counts"].sum()), before, len(tail.local_ids), privacy)


def _history(record: Seen, key: str, stored: _Stored, subject: Subject) -> Iterator[Finding]:
    """What a state holds beside its mark."""
    known = stored.events or stored.local_ids
    if stored.before:
        what = f"{stored.before} events of before the erasure under {key}"
        yield record.finding(Verdict.LEFT, what)
    elif known and stored.privacy.erased_ms >= 0:
        yield record.finding(Verdict.LATER, f"{stored.events} events since the erasure under {key}")
    elif known and subject.user and key.startswith(LOCAL):
        what = f"{stored.events} events under {key}, which has been nobody's since its link went"
        yield record.finding(Verdict.LATER, what)
    elif known:
        what = f"{stored.events} events, {stored.local_ids} local ids under {key}, and no mark"
        yield record.finding(Verdict.LEFT, what)
