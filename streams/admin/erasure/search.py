"""What is left of an erased user: every topic of the service read to its end."""

from __future__ import annotations

from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.admin.erasure import traces
from streams.admin.erasure.state_traces import states
from streams.admin.erasure.traces import Finding, Seen, Subject
from streams.errors import BrokerError
from streams.intake.readers.erasure import ErasureReader
from streams.runtime.sending.publisher import now_ms
from streams.runtime.topics import changelog_topic
from streams.settings import Settings
from streams.subscribe.schema import record_key


def find_traces(settings: Settings, subject: Subject) -> Iterator[Finding]:
    """Findings of all topics; those that name local ids are read first.

    Raises:
        BrokerError: a topic can't be read.
    """
    topics = Topics(settings)
    try:
        orders = topics.read(settings.erasure.topic)
        yield from traces.erasures(orders, subject, ErasureReader(settings), now_ms())
        yield from traces.wishes(topics.read(settings.consent.topic), subject)
        for topic, platform in settings.link_topics().items():
            yield from traces.links(topics.read(topic), platform, subject)
        days = settings.events.retention_days
        yield from traces.log_records(topics.read(settings.events.topic), subject, days)
        yield from states(topics.read(changelog_topic(settings)), subject)
        for target, topic in settings.output_topics().items():
            keys = _vector_keys(settings, target, subject)
            yield from traces.vectors(topics.read(topic), target, keys, subject)
        yield from traces.letters(topics.read(settings.deadletter.topic), subject)
    finally:
        topics.close()


def _vector_keys(settings: Settings, target: str, subject: Subject) -> set[bytes]:
    """Keys of the user's vectors for a target."""
    ids = [local for platform, local in subject.locals if platform == target]
    ids += [subject.user] if settings.platform(target).ids == "shared" and subject.user else []
    return {record_key(target, one, shared=settings.output.single_topic) for one in ids}


class Topics:
    """Reads topics from their beginning to where they end now.

    Args:
        settings: the worker's.

    Raises:
        BrokerError: no broker answers.
    """

    def __init__(self, settings: Settings) -> None:
        self._where = ", ".join(settings.kafka.bootstrap)
        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=list(settings.kafka.bootstrap),
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                **settings.kafka.connection().python_options(),
            )
        except KafkaError as error:
            raise BrokerError(
                f"no broker answers at {self._where} (kafka.bootstrap): {error}"
            ) from error

    def read(self, topic: str) -> Iterator[Seen]:
        """Every record of a topic.

        Raises:
            BrokerError: it doesn't exist or can't be read.
        """
        consumer = self._consumer
        try:
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise BrokerError(
                    f"topic {topic!r} isn't at {self._where}; nothing can be said about it"
                )
            partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(tp) < ends[tp] for tp in partitions):
                for tp, records in consumer.poll(timeout_ms=1000).items():
                    for r in records:
                        if r.offset < ends[tp]:
                            yield Seen(
                                topic, tp.partition, r.offset, r.timestamp, r.key, r.value,
                                tuple(r.headers),
                            )  # fmt: skip
        except KafkaError as error:
            raise BrokerError(
                f"topic {topic!r} at {self._where} can't be read: {error!r}; look at the "
                "principal's rights"
            ) from error

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
