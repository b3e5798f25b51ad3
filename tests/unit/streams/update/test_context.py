"""What is known between batches: whose partitions are released."""

from __future__ import annotations

from tests.unit.streams.toy import (
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)


def test_released_partitions_come_from_the_store_again_and_others_stay() -> None:
    updater, store = toy_updater(), MemoryStore()
    fetched = [batch(p, 0, [(f"u/{p}", event(START_MS, offset=0))]) for p in (0, 1)]
    store.write(updater.process(fetched, store))
    updater.release([1])
    assert updater.slab.find("u/0") is not None
    assert updater.slab.find("u/1") is None
    more = [batch(p, 1, [(f"u/{p}", event(START_MS + 1, offset=1))]) for p in (0, 1)]
    vectors = updater.process(more, store).vectors
    assert vectors is not None
    assert set(vectors.events.tolist()) == {2}
