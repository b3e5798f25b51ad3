"""An event is applied, replayed or repeated; its item may be unknown."""

from __future__ import annotations

import msgspec

from streams.effects.effects import Effects, VectorBatch
from streams.log.records import LogRecord, Via
from streams.update.source_marks import PREFIX
from tests.unit.streams.toy import (
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)


def published(vectors: VectorBatch) -> dict[tuple[int, str], tuple[bytes, int]]:
    return {
        (target, name): (vector.tobytes(), events)
        for target, name, vector, events in zip(
            vectors.targets, vectors.ids, vectors.vectors, vectors.events.tolist(), strict=True
        )
    }


def users_of(effects: Effects, partition: int = 0) -> list[str]:
    return [key for key, _ in effects.changelog[partition] if not key.startswith(PREFIX)]


def test_what_is_read_again_is_published_again_and_not_counted() -> None:
    updater, store = toy_updater(), MemoryStore()
    records: list[tuple[str, LogRecord]] = [
        (f"u/{n % 2}", event(START_MS + n, offset=n)) for n in range(6)
    ]
    first = updater.process([batch(0, 0, records)], store)
    store.write(first)
    updater.release()
    again = updater.process([batch(0, 0, records)], store)
    assert again.counts.applied.total() == 0
    assert again.counts.skipped["replayed"] == 6
    assert users_of(again) == []
    assert first.vectors is not None
    assert again.vectors is not None
    assert published(again.vectors) == published(first.vectors)


def test_a_repeated_record_changes_nothing_and_publishes_nothing() -> None:
    updater, store = toy_updater(), MemoryStore()
    one = event(START_MS, offset=3)
    store.write(updater.process([batch(0, 0, [("u/a", one)])], store))
    for forget in (False, True):
        if forget:
            updater.release()
            updater.know_sources(["video.click"])
        # Another identity, so that only its source position tells.
        twin = msgspec.structs.replace(one, event_hash=12345)
        older = msgspec.structs.replace(twin, via=Via("video.click", 0, 2))
        repeats = [("u/a", twin), ("u/a", older)]
        effects = updater.process([batch(0, 1 + 2 * forget, repeats)], store)
        assert effects.counts.skipped == {"repeated": 2}
        assert effects.vectors is None
        assert effects.changelog == {0: []}


def test_unknown_items_count_and_are_counted() -> None:
    effects = toy_updater().process(
        [batch(0, 0, [("u/a", event(START_MS, offset=0, item="never seen", platform="news"))])],
        MemoryStore(),
    )
    assert effects.counts.unknown_items == {2: 1}
    assert effects.counts.applied == {(2, 1): 1}
