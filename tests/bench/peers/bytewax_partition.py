"""Bytewax, keyed by partition: a batch of a partition's events at once, in waves.

One key for each Kafka partition, whose logic holds all its users: Bytewax then costs next to
nothing for each event. Users are recovered from Bytewax's snapshots (SQLite), every 10 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.bench.peers.job import Model, Setup, Users, read_setup

BATCH: Final = 8192
EPOCH: Final = timedelta(seconds=10)
READ: Final = {
    "fetch.wait.max.ms": "20",
    "fetch.queue.backoff.ms": "20",
    "queued.min.messages": "1000000",
}
WRITE: Final = {"linger.ms": "2", "batch.size": str(1 << 20)}

Message = Any  # KafkaSourceMessage[bytes, bytes]
Stored = list[tuple[bytes, bytes]]


class Partition(StatefulBatchLogic[Message, KafkaSinkMessage[bytes, bytes], Stored]):
    """The users of one partition."""

    def __init__(self, model: Model, stored: Stored | None) -> None:
        self._users = Users(model)
        for key, row in stored or []:
            self._users.put(key, row)

    def on_batch(
        self, values: list[Message]
    ) -> tuple[Iterable[KafkaSinkMessage[bytes, bytes]], bool]:
        """Vectors of the users that a batch changed."""
        users = self._users
        columns = users.columns([m.key for m in values], [m.value for m in values])
        changed = users.apply(columns)
        keys = [users.keys[slot][2:] for slot in changed.tolist()]
        vectors = users.vectors(changed)
        return [KafkaSinkMessage(k, v) for k, v in zip(keys, vectors, strict=True)], False

    def snapshot(self) -> Stored:
        """All rows; new bytes, as Bytewax asks for."""
        return self._users.all()


def dataflow(setup: Setup) -> Dataflow:
    """Kafka → partition → Kafka."""
    model = Model(setup.model)
    flow: Any = Dataflow("by_partition")
    source = KafkaSource([setup.bootstrap], [setup.events], add_config=READ, batch_size=BATCH)
    messages = op.input("events", flow, source)
    keyed: Any = op.key_on("partition", messages, lambda m: str(m.partition))
    made = op.stateful_batch("users", keyed, lambda stored: Partition(model, stored))
    sink = KafkaSink([setup.bootstrap], setup.vectors, add_config=WRITE)
    op.output("vectors", op.key_rm("message", made), sink)
    return flow


def run(flow: Dataflow, setup: Setup) -> None:
    """Until a signal, with snapshots."""
    folder = Path(setup.folder) / "snapshots"
    if not folder.exists():
        folder.mkdir()
        init_db_dir(folder, 1)
    cli_main(flow, epoch_interval=EPOCH, recovery_config=RecoveryConfig(folder))


if __name__ == "__main__":
    SETUP = read_setup()
    run(dataflow(SETUP), SETUP)
