"""The settings file of one Kafka server, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"

# One node must hold what a cluster spreads over three, and a test shouldn't wait for groups.
SINGLE_NODE = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A crashed broker may come back only when its old session has run out (9 s by default).
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    # As in a careful production cluster: a topic that nobody made is an error, not a default.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
}


def server_properties(
    *,
    node_id: int,
    port: int,
    controller_port: int,
    log_dir: str,
    listeners: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Settings of a node that is broker and controller at once (KRaft combined mode).

    Args:
        node_id: number of the node in its cluster.
        port: port of the plaintext listener for clients.
        controller_port: port of the controller's listener.
        log_dir: folder of the partitions.
        listeners: further listeners, e.g. ``"SASL_PLAINTEXT://127.0.0.1:9095"``.
        extra: settings that are added last, so that they win.
    """
    client = [f"PLAINTEXT://{HOST}:{port}", *listeners]
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.voters": f"{node_id}@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join([*client, f"CONTROLLER://{HOST}:{controller_port}"]),
        "advertised.listeners": ",".join(client),
        "listener.security.protocol.map": _protocol_map(listeners),
        "log.dirs": log_dir,
    }
    return settings | SINGLE_NODE | dict(extra or {})


def _protocol_map(listeners: Sequence[str]) -> str:
    names = [listener.partition("://")[0] for listener in listeners]
    pairs = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"]
    return ",".join(pairs + [f"{name}:{name}" for name in names])


def as_text(settings: Mapping[str, str]) -> str:
    """A Java properties file, one setting a line."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
