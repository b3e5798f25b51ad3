"""What docs/scale.md says of a lost region: a copy of the log must have the log's offsets."""

from __future__ import annotations

from streams.log.keys import user_key
from streams.log.records import LogRecord
from tests.unit.streams.toy import START_MS, MemoryStore, batch, event, toy_updater

KEY = user_key("ann")
BEFORE, AFTER = 5, 3
FIRST_OFFSET = 1_000


def records(begin: int, count: int) -> list[tuple[str, LogRecord]]:
    numbers = range(begin, begin + count)
    return [(KEY, event(START_MS + 1000 * n, offset=n)) for n in numbers]


def recovered_elsewhere() -> MemoryStore:
    """The table as the lost region's changelog has it."""
    store = MemoryStore()
    store.write(toy_updater().process([batch(0, FIRST_OFFSET, records(0, BEFORE))], store))
    return store


def test_a_copy_of_the_log_with_its_offsets_goes_on() -> None:
    store = recovered_elsewhere()
    rest = batch(0, FIRST_OFFSET + BEFORE, records(BEFORE, AFTER))
    counts = toy_updater().process([rest], store).counts
    assert counts.applied.total() == AFTER
    assert counts.skipped.total() == 0


def test_a_mirror_whose_offsets_begin_lower_loses_events() -> None:
    store = recovered_elsewhere()
    counts = toy_updater().process([batch(0, BEFORE, records(BEFORE, AFTER))], store).counts
    assert counts.applied.total() == 0
    assert counts.skipped["replayed"] == AFTER


def test_a_new_service_on_a_mirror_rebuilds_what_the_mirror_has() -> None:
    store = MemoryStore()
    counts = toy_updater().process([batch(0, 0, records(0, BEFORE + AFTER))], store).counts
    assert counts.applied.total() == BEFORE + AFTER
