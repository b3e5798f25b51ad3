"""An embedded broker: librdkafka's in-process test cluster, one node on 127.0.0.1.

It needs pip alone and speaks the real protocol, so that the demo and the fast tests run
anywhere. It keeps nothing on disk, at most 5 MiB of each partition (a consumer that is further
behind loses records), has no controller (topics come into being by a metadata request, with
four partitions each), no transactions that hold, and serves one worker of a group. Everything
beyond that is for Apache Kafka (``deploy.kafka``).

How a client must be configured for it is said here and nowhere else, in
:data:`KAFKA_PYTHON_CONFIG`, :data:`LINGER_MS` and :func:`worker_config`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from streams.errors import BrokerError

PARTITIONS: Final = 4
"""Partitions of every topic of the embedded broker; it can't be told otherwise."""

KAFKA_PYTHON_CONFIG: Final[Mapping[str, Any]] = {
    "api_version": (2, 3),
    "metadata_max_age_ms": 1000,
}
"""What kafka-python 3 needs: it can't decode this broker's answer to its version request.

Told the version, it connects in the background, and topics that are subscribed meanwhile are
now and then left out of its first metadata request; the next one is its own after five minutes.
"""

LINGER_MS: Final = 50
"""How long a steady producer should collect records for this broker.

It answers a fetch with one batch of each partition at most, so a consumer falls behind a
producer that sends more batches than the consumer sends fetches.
"""


def worker_config(bootstrap: str) -> dict[str, dict[str, Any]]:
    """Settings of a worker (sections of its TOML file) that this broker calls for.

    Topics can't be created with settings of their own, and all have four partitions.
    """
    return {
        "kafka": {"bootstrap": [bootstrap], "create_topics": False, "fencing": False},
        "intake": {"partitions": PARTITIONS},
        "events": {"partitions": PARTITIONS},
        "output": {"partitions": PARTITIONS},
        "deadletter": {"partitions": PARTITIONS},
    }


class EmbeddedBroker:
    """A broker for as long as the ``with`` block lasts.

    Attributes:
        bootstrap: its address, ``host:port``.

    Raises:
        BrokerError: the broker doesn't start within ten seconds.
    """

    def __init__(self) -> None:
        self._cluster = Producer(
            {
                # The option that makes librdkafka start the cluster, inside this producer.
                "test.mock.num.brokers": 1,
                "bootstrap.servers": "replaced.by.the.mock",
                "allow.auto.create.topics": True,
                "log_level": 2,
            }
        )
        self.bootstrap = self._address()

    def _address(self) -> str:
        try:
            brokers = self._cluster.list_topics(timeout=10).brokers.values()
        except KafkaException as error:
            raise BrokerError(
                f"the embedded broker didn't start: {error}; is 127.0.0.1 usable, and is "
                "confluent-kafka installed with its own librdkafka (pip install "
                "'interest-stream[demo]')?"
            ) from error
        broker = next(iter(brokers))
        return f"{broker.host}:{broker.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the broker; what it held is gone."""
        # librdkafka ends the cluster together with the producer that carries it.
        del self._cluster

    def create_topics(self, names: Iterable[str]) -> None:
        """Make topics, four partitions each; those that exist stay as they are.

        Raises:
            BrokerError: the broker doesn't answer within ten seconds.
        """
        for name in names:
            try:
                metadata = self._cluster.list_topics(name, timeout=10).topics[name]
            except KafkaException as error:
                raise BrokerError(f"{self.bootstrap}: topic {name!r}: {error}") from error
            if metadata.error is not None:
                raise BrokerError(
                    f"{self.bootstrap}: topic {name!r}: {metadata.error}; use a legal name "
                    "(at most 249 of a-z A-Z 0-9 . _ -)"
                )

    def topics(self) -> dict[str, int]:
        """Topic name to number of partitions."""
        found = self._cluster.list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def end_offsets(self, topic: str) -> list[int]:
        """Offset after the last record, for each partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "offsets"})
        try:
            count = len(self._cluster.list_topics(topic, timeout=10).topics[topic].partitions)
            return [
                int(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1])
                for p in range(count)
            ]
        finally:
            consumer.close()
