from __future__ import annotations

from deploy.kafka.process import PORTS, free_port
from deploy.kafka.server import new_cluster_id


def test_free_ports_stay_below_those_of_outgoing_connections() -> None:
    assert free_port() in PORTS
    assert PORTS.stop <= 32_768


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    ids = [new_cluster_id() for _ in range(300)]
    assert all(len(text) == 22 and not text.startswith("-") for text in ids)
