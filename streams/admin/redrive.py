"""Dead letters read from their topic, and their records sent to where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streams.errors import BrokerError, TopicError
from streams.intake.dead_letters import dead_letter
from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.dead_letters.redrive import Plan, Redriven
from streams.intake.readers.base import REFUSED
from streams.settings import Settings

POLL_MS = 500
SEND_TIMEOUT_S = 60.0


def report(made: Plan, *, sent: bool) -> Iterator[str]:
    """What is to be sent, by topic and reason, and what isn't."""
    for (topic, reason), count in sorted(made.counts.items()):
        yield f"{count:>8}  {topic}  {reason}"
    for why, count in made.left_out.most_common():
        yield f"{count:>8}  left out: {why}"
    yield f"{made.others:>8}  not asked for"
    if not sent:
        yield f"{len(made.records)} would be sent; add --send to do it"


def read_letters(settings: Settings) -> list[DeadLetter]:
    """All letters as the topic is now, those that were taken back left out, the oldest first."""
    topic = settings.deadletter.topic
    letters: dict[bytes | tuple[int, int], DeadLetter] = {}
    with _Connected(settings, KafkaConsumer, enable_auto_commit=False) as consumer:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise TopicError(
                f"topic {topic!r} (deadletter.topic) doesn't exist; the worker creates it"
            )
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for tp, records in consumer.poll(timeout_ms=POLL_MS).items():
                for record in records:
                    key = record.key or (tp.partition, record.offset)
                    letters.pop(key, None)
                    if (letter := _letter(record.value)) is not None:
                        letters[key] = letter
    return sorted(letters.values(), key=lambda letter: letter.seen_ms)


def _letter(value: bytes | None) -> DeadLetter | None:
    """A letter; None where it was taken back, or isn't one of ours."""
    try:
        return dead_letter.decode(value) if value else None
    except REFUSED:
        return None


def send(settings: Settings, records: list[Redriven]) -> None:
    """Send all, and wait until all are acknowledged."""
    with _Connected(settings, KafkaProducer, acks="all") as producer:
        sent = [
            producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers))
            for r in records
        ]
        producer.flush(SEND_TIMEOUT_S)
        for future in sent:
            future.get(SEND_TIMEOUT_S)


class _Connected:
    """A client of kafka-python for a ``with`` block; its errors say where and what to do."""

    def __init__(self, settings: Settings, make: Callable[..., Any], **options: Any) -> None:
        self._settings = settings
        self._make = make
        self._options = options

    def __enter__(self) -> Any:
        kafka = self._settings.kafka
        try:
            self._client = self._make(
                bootstrap_servers=list(kafka.bootstrap),
                **kafka.connection().python_options(),
                **self._options,
            )
        except KafkaError as error:
            raise self._explained(error) from error
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.close()
        if isinstance(error, KafkaError):
            raise self._explained(error) from error

    def _explained(self, error: KafkaError) -> BrokerError:
        kafka = self._settings.kafka
        return BrokerError(
            f"the broker at {', '.join(kafka.bootstrap)} ({kafka.connection().description}) "
            f"doesn't answer or refuses: {error!r}; check the address, and the rights of the "
            "role redrive (interest-stream acls)"
        )
