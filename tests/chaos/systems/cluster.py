"""The brokers of a phase, with a door for each worker that can be shut."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from deploy.kafka import KafkaCluster
from deploy.kafka.process import free_port
from deploy.kafka.properties import HOST
from tests.chaos.systems.proxy import Proxies

# Compaction works during a run, on a small heap, and the disk stays small.
PROPERTIES: Final = {
    "log.segment.bytes": str(8 << 20),
    "log.cleaner.dedupe.buffer.size": str(8 << 20),
    "log.cleaner.backoff.ms": "5000",
    "num.network.threads": "2",
    "num.io.threads": "4",
}
HEAP_MB: Final = 320
SETTLE_S: Final = 60.0
PREFERRED: Final = 0


class Brokers:
    """A cluster of one or three nodes; every worker reaches it through proxies of its own.

    Args:
        folder: where the data lies; removed at the end.
        nodes: 1 or 3.
        workers: names of the workers.
    """

    def __init__(self, folder: Path, nodes: int, workers: Sequence[str]) -> None:
        self._folder = folder
        self.doors = {w: {node: free_port() for node in range(1, nodes + 1)} for w in workers}
        routes: dict[str, dict[int, int]] = {w: {} for w in workers}
        options = []
        for node in range(1, nodes + 1):
            inner = {w: free_port() for w in workers}
            for worker, port in inner.items():
                routes[worker][self.doors[worker][node]] = port
            options.append(
                {
                    "listeners": [f"{w}://{HOST}:{port}" for w, port in inner.items()],
                    "advertised": {w: f"{HOST}:{self.doors[w][node]}" for w in workers},
                }
            )
        self.cluster = KafkaCluster(
            nodes, data_dir=folder, heap_mb=HEAP_MB, options=options, properties=PROPERTIES
        )
        self.proxies = Proxies(routes)
        self.down = threading.Lock()
        """Held by whoever has taken a node down: two at once would be beyond what is promised."""
        self._stack = ExitStack()

    @property
    def bootstrap(self) -> str:
        """Addresses for producers and the judge, past the proxies."""
        return self.cluster.bootstrap

    def door(self, worker: str) -> list[str]:
        """Addresses for a worker."""
        return [f"{HOST}:{port}" for port in self.doors[worker].values()]

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            stack.enter_context(self.cluster)
            stack.enter_context(self.proxies)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def settle(self) -> bool:
        """Wait until every partition has all its replicas in sync; whether it came to that."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            if not self._lagging():
                return True
            time.sleep(0.5)  # between two questions
        return False

    def _lagging(self) -> bool:
        try:
            return any(len(p["isr_nodes"]) < len(p["replica_nodes"]) for _, p in self.partitions())
        except (KafkaError, OSError):
            return True

    def partitions(self) -> list[tuple[TopicPartition, dict[str, Any]]]:
        """Every partition, with its leader, replicas and those in sync."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            found = admin.describe_topics()
        finally:
            admin.close()
        return [
            (TopicPartition(topic["name"], p["partition_index"]), p)
            for topic in found
            for p in topic["partitions"]
        ]

    def move_leaders(self, share: float, start: int) -> int:
        """Turn the order of replicas of some partitions, and let the new first one lead.

        Args:
            share: of the partitions.
            start: which of them: every one from this place on.

        Returns:
            how many leaders were asked to move.
        """
        everything = [(tp, p) for tp, p in self.partitions() if len(p["replica_nodes"]) > 1]
        count = max(1, int(len(everything) * share))
        chosen = [everything[(start + n) % len(everything)] for n in range(count)]
        orders = {tp: [*p["replica_nodes"][1:], p["replica_nodes"][0]] for tp, p in chosen}
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.alter_partition_reassignments(orders)
            topics: dict[str, list[int]] = {}
            for tp in orders:
                topics.setdefault(tp.topic, []).append(tp.partition)
            admin.elect_leaders(PREFERRED, topics, raise_errors=False)
        finally:
            admin.close()
        return count
