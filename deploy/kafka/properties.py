"""The settings file of one Kafka server, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HOST = "127.0.0.1"

PROTOCOLS = frozenset({"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"})

# Small internal topics, and a test shouldn't wait for groups.
LOCAL = {
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # A crashed broker may come back only when its old session has run out (9 s by default).
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    # As in a careful production cluster: a topic that nobody made is an error, not a default.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A node's place in its cluster.

    Attributes:
        node_id: its number.
        controller_port: port of its controller.
        cluster_id: id of the cluster, only used when the data folder is new.
        voters: controller ports of all nodes of the cluster, by node id; empty: this one alone.
    """

    node_id: int
    controller_port: int
    cluster_id: str = ""
    voters: Mapping[int, int] = field(default_factory=dict)


def server_properties(
    node: Node,
    *,
    port: int,
    log_dir: str,
    listeners: Sequence[str] = (),
    advertised: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Settings of a node that is broker and controller at once (KRaft combined mode).

    Args:
        node: its place in its cluster.
        port: port of the plaintext listener for clients.
        log_dir: folder of the partitions.
        listeners: further listeners, e.g. ``"SASL_PLAINTEXT://127.0.0.1:9095"``; a name that
            isn't a protocol's is a plaintext listener.
        advertised: ``host:port`` that clients of a listener are told instead of its own, by
            the listener's name: where a proxy stands between.
        extra: settings that are added last, so that they win.
    """
    client = [f"PLAINTEXT://{HOST}:{port}", *listeners]
    voters = node.voters or {node.node_id: node.controller_port}
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        "controller.quorum.voters": ",".join(f"{n}@{HOST}:{p}" for n, p in voters.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join([*client, f"CONTROLLER://{HOST}:{node.controller_port}"]),
        "advertised.listeners": ",".join(_told(name, advertised or {}) for name in client),
        "listener.security.protocol.map": _protocol_map(listeners),
        "log.dirs": log_dir,
    }
    return settings | LOCAL | _replication(len(voters)) | dict(extra or {})


def _told(listener: str, advertised: Mapping[str, str]) -> str:
    name, _, address = listener.partition("://")
    return f"{name}://{advertised.get(name, address)}"


def _replication(nodes: int) -> dict[str, str]:
    """What survives the loss of one node, where there are more than two."""
    replicas, in_sync = str(min(nodes, 3)), "2" if nodes > 2 else "1"
    return {
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _protocol_map(listeners: Sequence[str]) -> str:
    names = [listener.partition("://")[0] for listener in listeners]
    pairs = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"]
    protocols = [name if name in PROTOCOLS else "PLAINTEXT" for name in names]
    return ",".join(pairs + [f"{n}:{p}" for n, p in zip(names, protocols, strict=True)])


def as_text(settings: Mapping[str, str]) -> str:
    """A Java properties file, one setting a line."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
