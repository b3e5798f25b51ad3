"""Which dead letters intake writes, and what waits for them. No broker, no clock."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.record.default_records import DefaultRecordBatch

from streams.intake.dead_letters.repeats import UNKNOWN, Repeats
from streams.metrics.metrics import Metrics
from streams.runtime.dead_letters.lookup import LetterLookup
from streams.runtime.dead_letters.topic import LetterTopic
from streams.runtime.pipelines import intake
from streams.runtime.pipelines.intake import IntakePipeline
from streams.runtime.sending.publisher import KeyedPublisher
from streams.settings import parse_settings
from tests.unit.streams.runtime.fakes import (
    FakeConsumer,
    FakeEvent,
    FakeProducer,
    batch,
    publisher_of,
    until,
)

NOW_MS = 1_795_342_272_123
TOPIC, LETTERS, LOG = "video.click", "interest.deadletter", "interest.events"
GOOD, BAD = b'{"item_id": "i", "user_id": "ann"}', b"no JSON"
REPEATS = Repeats({(TOPIC, 0): 0}, {(TOPIC, 0): 10})
FUTURE = b'{"item_id": "i", "user_id": "ann", "time": %d}' % (NOW_MS + 3_600_000)
Values = dict[int, bytes]
"""offset → value"""


class Forwarder:
    """The pipeline under test, and what reached the broker."""

    def __init__(self) -> None:
        self.producer = FakeProducer()
        self.failures: list[BaseException] = []
        self.metrics = Metrics(process=False)
        publisher = publisher_of(self.producer)
        self.pipeline = IntakePipeline(
            parse_settings({"platforms": [{"name": "video"}]}),
            KeyedPublisher(publisher, defaultdict(lambda: 2)),
            LetterLookup(LetterTopic({}, LETTERS, publisher)),
            self.metrics,
            lambda: NOW_MS,
            max_records=1,
            on_failure=self._tell,
        )

    async def _tell(self, error: BaseException) -> None:
        self.failures.append(error)

    async def read(self, values: Values, repeats: Repeats = REPEATS) -> FakeEvent:
        """A fetch brings these records."""
        fetched = batch(list(values), [(b"k", value) for value in values.values()], TOPIC)
        fetched.timestamps_ms = [NOW_MS] * len(values)
        fetched.repeats = repeats
        event = FakeEvent(fetched)
        await self.pipeline.put(cast(Any, event))
        return event

    def keys(self, topic: str) -> list[bytes]:
        return [
            row.key
            for to, _, raw in self.producer.batches
            if to == topic
            for row in DefaultRecordBatch(bytearray(raw))
        ]

    def letters(self) -> list[int]:
        """Source offsets of the letters that were sent."""
        return sorted(int(key.rpartition(b"/")[2]) for key in self.keys(LETTERS))

    def counted(self) -> float:
        labels = {"reason": "not_json"}
        name = "interest_dead_letters_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def forwarder(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Forwarder]:
    FakeConsumer.install(monkeypatch)
    made = Forwarder()
    await made.pipeline.start()
    yield made
    if FakeConsumer.gate is not None:
        FakeConsumer.gate.set()
    await made.pipeline.stop()


@pytest.fixture
def gate(forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Until it is set the dead letters are being read."""
    made = asyncio.Event()
    monkeypatch.setattr(FakeConsumer, "gate", made)
    return made


async def test_letters_of_new_records_go_out_at_once(forwarder: Forwarder) -> None:
    event = await forwarder.read({10: BAD, 11: GOOD, 12: BAD})
    await until(lambda: event.acks)
    assert (forwarder.letters(), len(forwarder.keys(LOG))) == ([10, 12], 1)
    assert (forwarder.counted(), FakeConsumer.readings) == (2, 0)


async def test_of_what_may_have_been_read_before_only_what_the_topic_lacks_is_written(
    forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [(0, f"{TOPIC}/0/7".encode(), b"a letter"), (1, f"{TOPIC}/0/8".encode(), None)]
    monkeypatch.setattr(FakeConsumer, "records", there)
    event = await forwarder.read({6: BAD, 7: BAD, 8: BAD, 9: BAD, 10: BAD})
    await until(lambda: event.acks)
    assert (forwarder.letters(), forwarder.counted()) == ([6, 9, 10], 3)


async def test_where_the_ends_arent_known_everything_is_looked_up(
    forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConsumer, "records", [(0, f"{TOPIC}/0/70".encode(), None)])
    event = await forwarder.read({70: BAD, 71: BAD}, UNKNOWN)
    await until(lambda: event.acks)
    assert forwarder.letters() == [71]


async def test_while_they_are_looked_up_records_go_on_and_commits_wait(
    forwarder: Forwarder, gate: asyncio.Event
) -> None:
    first, second = (
        await forwarder.read({8: BAD, 9: GOOD}),
        await forwarder.read({10: BAD, 11: GOOD}),
    )
    await until(lambda: len(forwarder.keys(LOG)) == 2)
    await until(lambda: forwarder.letters() == [10])
    assert (first.acks, second.acks) == (0, 0)
    gate.set()
    await until(lambda: second.acks)
    assert (first.acks, forwarder.letters()) == (1, [8, 10])


async def test_a_letter_that_a_clock_decides_is_there_before_the_log_goes_on(
    forwarder: Forwarder,
) -> None:
    forwarder.producer._acknowledge = False
    await forwarder.read({10: FUTURE, 11: GOOD, 12: BAD})
    await until(lambda: forwarder.producer.futures)
    for _ in range(100):
        await asyncio.sleep(0)
    assert (forwarder.letters(), forwarder.keys(LOG)) == ([10], [])
    forwarder.producer.futures[0].set_result(SimpleNamespace(offset=0))
    await until(lambda: len(forwarder.letters()) == 2)
    assert len(forwarder.keys(LOG)) == 1
    for future in forwarder.producer.futures[1:]:
        future.set_result(SimpleNamespace(offset=0))


async def test_such_a_letter_is_looked_up_before_the_log_goes_on(
    forwarder: Forwarder, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConsumer, "records", [(0, f"{TOPIC}/0/7".encode(), None)])
    event = await forwarder.read({6: FUTURE, 7: FUTURE, 8: GOOD})
    await until(lambda: FakeConsumer.readings)
    for _ in range(100):
        await asyncio.sleep(0)
    assert forwarder.keys(LOG) == []
    gate.set()
    await until(lambda: event.acks)
    assert (forwarder.letters(), len(forwarder.keys(LOG))) == ([6], 1)


async def test_a_rebalance_waits_for_the_letters(forwarder: Forwarder, gate: asyncio.Event) -> None:
    event = await forwarder.read({8: BAD})
    await until(lambda: FakeConsumer.readings)
    leaving = asyncio.create_task(forwarder.pipeline.let_go())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not leaving.done()
    gate.set()
    await leaving
    assert (event.acks, forwarder.letters()) == (1, [8])


async def test_letters_that_cannot_be_looked_up_end_the_worker(
    forwarder: Forwarder, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConsumer, "failure", KafkaConnectionError())
    first, second = await forwarder.read({8: BAD}), await forwarder.read({11: GOOD})
    await until(lambda: forwarder.keys(LOG))
    gate.set()
    await until(lambda: forwarder.failures)
    assert (first.acks, second.acks, forwarder.letters()) == (0, 0, [])


async def test_when_too_much_waits_to_be_looked_up_the_next_batch_waits(
    forwarder: Forwarder, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "HELD_BYTES", 2 * len(BAD))
    events = [await forwarder.read({offset: BAD}) for offset in (5, 6, 7)]
    events.append(await forwarder.read({8: GOOD}))
    await until(lambda: FakeConsumer.readings)
    for _ in range(100):
        await asyncio.sleep(0)
    assert forwarder.keys(LOG) == []
    gate.set()
    await until(lambda: all(event.acks for event in events))
    assert (forwarder.letters(), FakeConsumer.readings) == ([5, 6, 7], 1)
