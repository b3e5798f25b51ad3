"""What a batch stores of its users, and what a crash in the middle of it leaves."""

from __future__ import annotations

from streams.effects.effects import Effects
from streams.log.records import LogRecord
from streams.update.source_marks import PREFIX
from streams.windows.stored_value import decode_value
from tests.unit.streams.toy import (
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)


def users_of(effects: Effects, partition: int = 0) -> list[str]:
    return [key for key, _ in effects.changelog[partition] if not key.startswith(PREFIX)]


def test_each_user_is_stored_and_published_once_a_batch_with_its_last_state() -> None:
    updater = toy_updater()
    records: list[tuple[str, LogRecord]] = [
        ("u/a", event(START_MS + n, offset=n)) for n in range(5)
    ]
    effects = updater.process([batch(0, 10, records)], MemoryStore())
    assert users_of(effects) == ["u/a"]
    row, _ = decode_value(updater.slab.layout, effects.changelog[0][0][1] or b"")
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
