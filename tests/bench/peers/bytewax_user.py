"""Bytewax, keyed by user: the state of each user is Bytewax's own, as its guide has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic

from tests.bench.peers.bytewax_partition import BATCH, READ, WRITE, run
from tests.bench.peers.job import OneByOne, Setup, decode_event, read_setup


class User(StatefulBatchLogic[Any, KafkaSinkMessage[bytes, bytes], bytes]):
    """One user: one step after the other, one vector for each batch."""

    def __init__(self, job: OneByOne, stored: bytes | None) -> None:
        self._job = job
        self._row = stored

    def on_batch(self, values: list[Any]) -> tuple[Iterable[KafkaSinkMessage[bytes, bytes]], bool]:
        """The user's vector after a batch of its events."""
        row = self._row
        for message in values:
            row = self._job.apply(row, decode_event(message.value))
        assert row is not None
        self._row = row
        key = values[0].key[2:]
        return [KafkaSinkMessage(key, self._job.vector(key.decode(), row))], False

    def snapshot(self) -> bytes:
        """The row."""
        assert self._row is not None
        return self._row


def dataflow(setup: Setup) -> Dataflow:
    """Kafka → user → Kafka."""
    job = OneByOne(setup.model)
    flow: Any = Dataflow("by_user")
    source = KafkaSource([setup.bootstrap], [setup.events], add_config=READ, batch_size=BATCH)
    messages = op.input("events", flow, source)
    keyed: Any = op.key_on("user", messages, lambda m: m.key.decode())
    made = op.stateful_batch("users", keyed, lambda stored: User(job, stored))
    sink = KafkaSink([setup.bootstrap], setup.vectors, add_config=WRITE)
    op.output("vectors", op.key_rm("message", made), sink)
    return flow


if __name__ == "__main__":
    SETUP = read_setup()
    run(dataflow(SETUP), SETUP)
