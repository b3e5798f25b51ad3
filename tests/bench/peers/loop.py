"""A hand-written loop over librdkafka: batches, waves through ONNX Runtime, rows in memory.

As a very good engineer would write it: librdkafka's queue settings as measured (its default
``fetch.queue.backoff.ms`` of 1 s idles a fast reader), partitions chosen by what was read,
delivery reports for errors only, and one batch on its way to the broker while the next is
computed; its offsets are committed when it has arrived. With the option ``store = rocksdb``
the rows are also written to RocksDB, a batch at a time.
"""

from __future__ import annotations

import time
from typing import Any, Final

import rocksdict
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from tests.bench.peers.job import Model, Setup, Users, read_setup

BATCH: Final = 8192
WAIT_S: Final = 0.005
LEADER_S: Final = 30.0
"""How long a new topic's partitions may be without a leader that knows it."""
LEADERLESS: Final = (
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


class Loop:
    """Consumer, users, producer."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._users = Users(Model(setup.model))
        self._db = self._open_store()
        self._producer = Producer(
            {
                "bootstrap.servers": setup.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 2,
                "batch.size": 1 << 20,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 1 << 20,
                "delivery.report.only.error": True,
                "on_delivery": _must_be_delivered,
            }
        )
        self._consumer = _consumer(setup)
        self._arriving: list[TopicPartition] = []

    def _open_store(self) -> Any:
        if self._setup.options.get("store") != "rocksdb":
            return None
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        return rocksdict.Rdict(f"{self._setup.folder}/db", options)

    def run(self) -> None:
        """Until a signal."""
        self._consumer.subscribe([self._setup.events], on_assign=self._recover)
        while True:
            messages = [m for m in self._consumer.consume(BATCH, WAIT_S) if m.error() is None]
            if messages:
                self._batch(messages)
            elif self._arriving:
                self._arrived()

    def _batch(self, messages: list[Any]) -> None:
        users = self._users
        keys = [message.key() for message in messages]
        changed = users.apply(users.columns(keys, [message.value() for message in messages]))
        names = [users.keys[slot] for slot in changed.tolist()]
        partition = {key: message.partition() for key, message in zip(keys, messages, strict=True)}
        rows = users.stored(changed)
        self._arrived()
        produce, changelog, vectors = (
            self._producer.produce,
            self._setup.changelog,
            self._setup.vectors,
        )
        for key, row, vector in zip(names, rows, users.vectors(changed), strict=True):
            produce(changelog, row, key, partition[key])
            produce(vectors, vector, key[2:], partition[key])
        self._producer.poll(0)
        self._keep(names, rows)
        next_offset = {message.partition(): message.offset() + 1 for message in messages}
        topic = self._setup.events
        self._arriving = [TopicPartition(topic, p, offset) for p, offset in next_offset.items()]

    def _keep(self, names: list[bytes], rows: list[bytes]) -> None:
        if self._db is not None:
            writes = rocksdict.WriteBatch(raw_mode=True)
            for key, row in zip(names, rows, strict=True):
                writes.put(key, row)
            self._db.write(writes)

    def _arrived(self) -> None:
        """Wait until the last batch is home; then its offsets may be committed."""
        left = self._producer.flush(60)
        if left:
            raise RuntimeError(f"{left} records weren't delivered within 60 s")
        if self._arriving:
            self._consumer.commit(offsets=self._arriving, asynchronous=True)
            self._arriving = []

    def _recover(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Read the rows of the partitions that are ours now back from the changelog."""
        reader = _consumer(self._setup, "-recovery")
        ends = {p.partition: self._end(reader, p.partition) for p in assigned}
        waiting = {number: end for number, end in ends.items() if end}
        changelog = self._setup.changelog
        reader.assign([TopicPartition(changelog, n, OFFSET_BEGINNING) for n in waiting])
        while waiting:
            messages: list[Any] = reader.consume(BATCH, 0.1)
            for message in messages:
                self._users.put(message.key(), message.value())
                if message.offset() + 1 >= ends[message.partition()]:
                    waiting.pop(message.partition(), None)
        reader.close()

    def _end(self, reader: Consumer, partition: int) -> int:
        place = TopicPartition(self._setup.changelog, partition)
        until = time.monotonic() + LEADER_S
        while True:
            try:
                return int(reader.get_watermark_offsets(place, timeout=LEADER_S)[1])
            except KafkaException as error:
                if error.args[0].code() not in LEADERLESS or time.monotonic() > until:
                    raise
                time.sleep(0.1)  # a leader that was just chosen learns of it last


def _consumer(setup: Setup, suffix: str = "") -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": setup.bootstrap,
            "group.id": setup.group + suffix,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 30_000,
            "fetch.wait.max.ms": 20,
            "fetch.queue.backoff.ms": 20,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 256 << 10,
        }
    )


def _must_be_delivered(error: object, _message: object) -> None:
    if error is not None:
        raise RuntimeError(f"a record wasn't delivered: {error}")


if __name__ == "__main__":
    Loop(read_setup()).run()
