"""One batch: what is refused, skipped, stored and published; each state's place in the log."""

from __future__ import annotations

import msgspec
import pytest

from streams.effects.effects import Effects, LogBatch, VectorBatch
from streams.log import codec
from streams.log.keys import local_key
from streams.log.records import Adopt, Link, LogRecord, Via
from streams.update.source_marks import PREFIX
from streams.windows.slab import SlabFullError
from streams.windows.stored_value import decode_row
from tests.unit.streams.toy import (
    LOG,
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)

GOOD = codec.encode(event(START_MS, offset=0))
LINK = Link(Via("shop.links", 0, 0), "shop", "c-1", "ann", START_MS)


def users_of(effects: Effects, partition: int = 0) -> list[str]:
    return [key for key, _ in effects.changelog[partition] if not key.startswith(PREFIX)]


def published(vectors: VectorBatch) -> dict[tuple[int, str], tuple[bytes, int]]:
    return {
        (target, name): (vector.tobytes(), events)
        for target, name, vector, events in zip(
            vectors.targets, vectors.ids, vectors.vectors, vectors.events.tolist(), strict=True
        )
    }


def foreign(**changes: str) -> bytes:
    return codec.encode(msgspec.structs.replace(event(START_MS, offset=0), **changes))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (None, GOOD, "neither a user's nor a local id's"),
        (b"ann", GOOD, "neither a user's nor a local id's"),
        (b"u/a", codec.encode(LINK), "under its local id's key"),
        (b"l/shop/c-2", codec.encode(LINK), "under its local id's key"),
        (b"l/shop/c-1", codec.encode(Adopt(LINK.via, "shop", "c-1", b"", 0)), "a user gets"),
        (b"u/a", codec.encode(event(1 << 62, offset=0)), "isn't a time"),
        (b"u/a", codec.encode(event(-1, offset=0)), "isn't a time"),
        (b"u/a", b"\xc1", ""),
        (b"u/a", b"", "truncated"),
        (b"u/a", None, "truncated"),
        (b"u/a", b'{"item_id":"i1"}', ""),
        (b"\xff\xfe", GOOD, "utf-8"),
        (b"u/a", foreign(platform="games"), "'games'"),
        (b"u/a", foreign(action="stare"), "'stare'"),
        (b"u/a", GOOD.replace(b"video.click", b"video.c\xffick"), "UTF-8"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_and_harms_nobody(
    key: bytes | None, value: bytes | None, says: str
) -> None:
    updater = toy_updater()
    bad = LogBatch(2, [5, 6], [key, b"u/b"], [value, codec.encode(event(START_MS, offset=1))])
    effects = updater.process([bad], MemoryStore())
    (refused,) = effects.refused
    assert (refused.partition, refused.offset) == (2, 5)
    assert (refused.key, refused.value) == (key, value)
    assert refused.reason == "log_record"
    assert says in refused.problem
    assert refused.remedy
    assert users_of(effects, 2) == ["u/b"]
    assert effects.counts.applied.total() == 1


def test_a_refused_record_does_not_move_the_marks() -> None:
    updater, store = toy_updater(), MemoryStore()
    raw = foreign(platform="games")
    effects = updater.process([LogBatch(0, [0], [b"u/a"], [raw])], store)
    assert effects.changelog == {0: []}
    assert effects.vectors is None


def test_each_user_is_stored_and_published_once_a_batch_with_its_last_state() -> None:
    updater = toy_updater()
    records: list[tuple[str, LogRecord]] = [
        ("u/a", event(START_MS + n, offset=n)) for n in range(5)
    ]
    effects = updater.process([batch(0, 10, records)], MemoryStore())
    assert users_of(effects) == ["u/a"]
    row, _ = decode_row(updater.slab.layout, effects.changelog[0][0][1] or b"")
    assert row["applied"] == 14
    assert row["counts"].sum() == 5
    vectors = effects.vectors
    assert vectors is not None
    assert vectors.ids == ["a", "a"]
    assert vectors.targets == [0, 2]  # shop's ids are linked, and there is no link
    assert vectors.events.tolist() == [5, 5]
    assert vectors.as_of_ms.tolist() == [START_MS + 4] * 2
    assert vectors.source_ms.tolist() == [START_MS + 4 + 5] * 2
    assert effects.counts.users == 1


def test_the_marks_come_last_in_each_partition() -> None:
    updater = toy_updater()
    fetched = [
        batch(p, 0, [(f"u/{p}{n}", event(START_MS, offset=n)) for n in range(3)]) for p in (0, 4)
    ]
    effects = updater.process(fetched, MemoryStore())
    for partition in (0, 4):
        entries = [key for key, _ in effects.changelog[partition]]
        assert entries[:3] == [f"u/{partition}{n}" for n in range(3)]
        assert [key.startswith(PREFIX) for key in entries] == [False] * 3 + [True] * 2
        assert entries[-1].startswith(f"{PREFIX}{partition}/")


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


def test_a_crash_between_changelog_entries_finishes_the_rest() -> None:
    records: list[tuple[str, LogRecord]] = [
        (f"u/{n}", event(START_MS + n, offset=n)) for n in range(4)
    ]
    for stored in range(6):
        updater, store = toy_updater(), MemoryStore()
        updater.know_sources(["video.click"])
        effects = updater.process([batch(0, 0, records)], store)
        store.write(Effects(changelog={0: effects.changelog[0][:stored]}))
        updater.release()
        again = updater.process([batch(0, 0, records)], store)
        assert again.counts.applied.total() == max(0, 4 - stored)
        assert again.vectors is not None
        assert sorted(set(again.vectors.ids)) == ["0", "1", "2", "3"]
        assert set(again.vectors.events.tolist()) == {1}


def test_unknown_items_count_and_are_counted() -> None:
    effects = toy_updater().process(
        [batch(0, 0, [("u/a", event(START_MS, offset=0, item="never seen", platform="news"))])],
        MemoryStore(),
    )
    assert effects.counts.unknown_items == {2: 1}
    assert effects.counts.applied == {(2, 1): 1}


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


def test_an_empty_fetch_does_nothing() -> None:
    effects = toy_updater().process([LogBatch(3, [], [], [])], MemoryStore())
    assert effects.changelog == {3: []}
    assert not effects.forwards
    assert not effects.tombstones
    assert effects.vectors is None


def test_more_users_at_once_than_fit_is_an_error_with_a_remedy() -> None:
    updater = toy_updater(capacity=4)
    records: list[tuple[str, LogRecord]] = [(f"u/{n}", event(START_MS, offset=n)) for n in range(5)]
    with pytest.raises(SlabFullError, match="users_in_memory"):
        updater.process([batch(0, 0, records)], MemoryStore())


def test_an_event_under_a_linked_id_goes_on_with_its_place_in_the_log() -> None:
    updater, store = toy_updater(), MemoryStore()
    click = event(START_MS, offset=0, platform="shop")
    key = local_key("shop", "c-1")
    effects = updater.process([batch(6, 40, [(key, LINK), (key, click)])], store)
    (adopt_to, adopt), (event_to, forwarded) = effects.forwards
    assert adopt_to == event_to == "u/ann"
    assert isinstance(adopt, Adopt)
    assert adopt.state == b""
    assert (adopt.via.topic, adopt.via.partition, adopt.via.offset) == (LOG, 6, 40)
    assert forwarded == msgspec.structs.replace(click, via=Via(LOG, 6, 41))
    assert effects.counts.identity == {"linked": 1, "forwarded": 1}
    assert effects.vectors is None
