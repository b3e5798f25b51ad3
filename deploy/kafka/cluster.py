"""Several Apache Kafka servers as one cluster, each a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.kafka.process import Startable, free_port
from deploy.kafka.properties import Node
from deploy.kafka.server import KafkaServer, new_cluster_id


class KafkaCluster(Startable):
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
        super().__init__(data_dir, "kafka-cluster-")
        ids = range(1, nodes + 1)
        voters = {node: free_port() for node in ids}
        cluster_id = new_cluster_id()
        self.nodes = {
            node: KafkaServer(
                data_dir=self.folder / f"node-{node}",
                node=Node(node, voters[node], cluster_id, voters),
                heap_mb=heap_mb,
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
