"""Several Apache Kafka servers as one cluster, each a child process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.kafka.server import KafkaServer, free_port, new_cluster_id


class KafkaCluster:
    """Nodes of one Kafka 4 cluster on 127.0.0.1, each broker and controller; a context manager.

    Topics that name no number of replicas get one on each of (at most) three nodes, and a write
    is acknowledged by two of them, so that any one node may be lost.

    Args:
        nodes: number of nodes; node ids count from 1.
        data_dir: folder of all data; default a new temporary one.
        heap_mb: heap of each JVM in MiB.
        options: further arguments of each node's :class:`KafkaServer`, in order.
        properties: server settings of all nodes; they win over ours.

    Raises:
        MissingToolError: Java, or Maven for the first fetch, is missing.
        KafkaServerError: a server didn't start; the message ends with its log.
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        data_dir: Path | None = None,
        heap_mb: int = 256,
        options: Sequence[Mapping[str, Any]] = (),
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self._own_folder = data_dir is None
        self.folder = data_dir or Path(tempfile.mkdtemp(prefix="kafka-cluster-"))
        ids = range(1, nodes + 1)
        voters = {node: free_port() for node in ids}
        cluster_id = new_cluster_id()
        self.nodes = {
            node: KafkaServer(
                data_dir=self.folder / f"node-{node}",
                controller_port=voters[node],
                node_id=node,
                cluster_id=cluster_id,
                heap_mb=heap_mb,
                voters=voters,
                properties=properties,
                **(options[node - 1] if options else {}),
            )
            for node in ids
        }

    @property
    def bootstrap(self) -> str:
        """Addresses for clients, ``host:port,host:port,...``."""
        return ",".join(node.bootstrap for node in self.nodes.values())

    def start(self) -> None:
        """Start all nodes, and return when each knows all of them.

        Raises:
            KafkaServerError: one ended, or wasn't ready within 60 s.
        """
        for node in self.nodes.values():
            node.launch()
        for node in self.nodes.values():
            node.wait_ready(len(self.nodes))

    def stop(self) -> None:
        """End all nodes at once; their data stays.

        By force: the last ones of a cluster that stops in order wait for a majority in vain.
        """
        for node in self.nodes.values():
            node.kill()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
