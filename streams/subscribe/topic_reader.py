"""Reads a whole topic without a consumer group, from its beginning, and survives outages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from streams.errors import BrokerError, TopicError

log = logging.getLogger(__name__)

# How long close() waits at most for a read in progress.
POLL_MS: Final = 200
RETRY_S: Final = 0.5
# A topic that got more partitions is noticed after this time.
PARTITION_CHECK_S: Final = 30.0
_CLOSE_MS: Final = 1000
_DEFAULTS: Final[dict[str, Any]] = {
    "client_id": "interest-feed",
    "auto_offset_reset": "earliest",
    "enable_auto_commit": False,
    # Without the package crc32c the check is pure Python and takes two thirds of the time of
    # catching up. Brokers check what they take in, and TCP what they send.
    "check_crcs": find_spec("crc32c") is not None,
    # Creating a topic by asking for it would give it the wrong settings.
    "allow_auto_create_topics": False,
    # A real broker answers as soon as it has something; the demo's waits this long.
    "fetch_max_wait_ms": 100,
    # kafka-python waits up to 30 s between attempts otherwise: too long after a restart.
    "reconnect_backoff_max_ms": 1000,
    "isolation_level": "read_committed",
    "max_poll_records": 2000,
}


class TopicReader:
    """All partitions of one topic, as one list of records after another.

    Args:
        servers: broker addresses.
        topic: name of the topic.
        catch_up: from the beginning; False: from the end.
        start_timeout_s: how long to wait for the broker and the topic.
        consumer: makes a ``kafka.KafkaConsumer``.
        options: of the consumer, over this module's defaults.

    Attributes:
        closing: set by :meth:`close`; :meth:`poll` gives nothing from then on.

    Raises:
        BrokerError: no broker answered within ``start_timeout_s``.
        TopicError: the topic didn't exist within ``start_timeout_s``.
    """

    def __init__(
        self,
        servers: Sequence[str],
        topic: str,
        *,
        catch_up: bool,
        start_timeout_s: float,
        consumer: Callable[..., Any],
        options: dict[str, Any],
    ) -> None:
        self.topic = topic
        self.closing = threading.Event()
        self._servers = list(servers)
        self._options = {**_DEFAULTS, **options}
        self._make = consumer
        self._catch_up = catch_up
        self._lock = threading.Lock()
        self._consumer: Any = None
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._checked_s = 0.0
        self._start(start_timeout_s)

    @property
    def at_first_end(self) -> bool:
        """Whether everything that the topic held at the time of connecting was polled."""
        return all(self._positions[partition] >= end for partition, end in self._ends.items())

    def poll(self) -> list[Any]:
        """The next records, of one partition after the other; none within 0.2 s: empty.

        Reconnects where reading fails, and waits as long as that takes.
        """
        with self._lock:
            if self.closing.is_set():
                return []
            try:
                return self._poll()
            except KafkaError as error:
                log.warning("%s: %r; connecting again", self.topic, error)
                self._reconnect()
                return []

    def close(self) -> None:
        """Disconnect, from any thread; waits for a :meth:`poll` in progress."""
        self.closing.set()
        with self._lock:
            self._disconnect()

    def _poll(self) -> list[Any]:
        self._follow_partitions()
        polled: list[Any] = []
        for partition, records in self._consumer.poll(timeout_ms=POLL_MS).items():
            polled.extend(records)
            self._positions[partition] = records[-1].offset + 1
        if not polled:
            self._pass_gaps()
        return polled

    def _pass_gaps(self) -> None:
        """Compaction and transaction markers leave offsets that no record has."""
        for partition, end in self._ends.items():
            if self._positions[partition] < end:
                at = self._consumer.position(partition, timeout_ms=POLL_MS)
                self._positions[partition] = max(at or 0, self._positions[partition])

    def _start(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        problem = self._connect(timeout_s)
        while problem is not None:
            if time.monotonic() >= deadline:
                self._disconnect()
                raise problem
            self.closing.wait(RETRY_S)
            problem = self._connect(deadline - time.monotonic())

    def _connect(self, timeout_s: float) -> BrokerError | TopicError | None:
        """Connect and take all partitions at the known positions; what was in the way."""
        servers = ",".join(self._servers)
        try:
            self._consumer = self._consumer or self._make(
                bootstrap_servers=self._servers,
                bootstrap_timeout_ms=max(1, int(timeout_s * 1000)),
                **self._options,
            )
            numbers = self._consumer.partitions_for_topic(self.topic)
            if numbers:
                self._seek(self._positions or self._first_positions(numbers))
                return None
        except KafkaError as error:
            self._disconnect()
            return BrokerError(
                f"no Kafka broker answers at {servers}: {error!r}; check the address, and that"
                " the broker runs (the demo's needs api_version=(2, 3); watch: --embedded)"
            )
        return TopicError(
            f"topic {self.topic!r} doesn't exist at {servers}; the worker creates it: start it,"
            " or check that it has this target platform and this output topic"
        )

    def _first_positions(self, numbers: Iterable[int]) -> dict[TopicPartition, int]:
        partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]
        self._ends = dict(self._consumer.end_offsets(partitions))
        if not self._catch_up:
            return self._ends
        return dict(self._consumer.beginning_offsets(partitions))

    def _seek(self, positions: dict[TopicPartition, int]) -> None:
        self._positions = dict(positions)
        self._consumer.assign(list(positions))
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)
        self._checked_s = time.monotonic()

    def _follow_partitions(self) -> None:
        """Take partitions that were added to the topic."""
        if time.monotonic() - self._checked_s < PARTITION_CHECK_S:
            return
        self._checked_s = time.monotonic()
        numbers = self._consumer.partitions_for_topic(self.topic)
        added = {TopicPartition(self.topic, n) for n in numbers} - self._positions.keys()
        if added:
            log.warning("%s has %d more partitions", self.topic, len(added))
            self._seek({**self._positions, **dict.fromkeys(added, 0)})

    def _reconnect(self) -> None:
        """Wait until the broker is back; called with the lock held."""
        self._disconnect()
        while not self.closing.wait(RETRY_S):
            problem = self._connect(RETRY_S)
            if problem is None:
                log.warning("%s: connected again", self.topic)
                return
            log.info("%s", problem)

    def _disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
