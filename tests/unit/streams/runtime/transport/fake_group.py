"""A consumer without a broker and without a thread, for the tests of the transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiokafka.consumer.subscription_state import Assignment
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.types import TP

from streams.runtime.transport.consumer import BatchConsumer
from tests.unit.streams.runtime.fakes import make_app

ONE, TWO = TP("t", 0), TP("t", 1)


@dataclass
class Broker:
    """What the group coordinator would do with commits."""

    committed: dict[TP, int] = field(default_factory=dict)
    attempts: list[dict[TP, int]] = field(default_factory=list)
    refuse: bool = False
    assigned: set[TP] = field(default_factory=lambda: {ONE, TWO})

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.attempts.append(dict(offsets))
        if self.refuse:
            return False
        self.committed.update(offsets)
        return True


def consumer_on(broker: Broker) -> BatchConsumer:
    """The consumer under test; only what would reach a broker is replaced."""
    app = make_app()

    async def ignore(*_: Any) -> None:
        return None

    consumer: Any = BatchConsumer(
        app.transport,
        callback=ignore,
        on_partitions_revoked=ignore,
        on_partitions_assigned=ignore,
    )
    consumer._thread.thread_loop.close()  # never started
    consumer._commit = broker.commit
    consumer.assignment = lambda: broker.assigned
    consumer.app.producer.flush = ignore
    consumer.app.topics.acks_enabled_for = lambda topic: True
    made: BatchConsumer = consumer
    return made


def fetched(tp: TP, *offsets: int) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(tp.topic, tp.partition, o, 5_000 + o, 0, b"k", b"v", None, 1, 1, ())
        for o in offsets
    ]


def assignment_of(*partitions: TP) -> Assignment:
    return Assignment([TopicPartition(*tp) for tp in partitions])
