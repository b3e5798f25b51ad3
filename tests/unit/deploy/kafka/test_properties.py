from __future__ import annotations

from deploy.kafka.properties import Node, as_text, server_properties


def test_one_node_is_broker_and_controller() -> None:
    settings = server_properties(Node(3, 9093), port=9092, log_dir="/d")
    assert settings["process.roles"] == "broker,controller"
    assert settings["controller.quorum.voters"] == "3@127.0.0.1:9093"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
    assert settings["listeners"].endswith(",CONTROLLER://127.0.0.1:9093")


def test_further_listeners_are_advertised_and_mapped() -> None:
    extra = "SASL_PLAINTEXT://127.0.0.1:9095"
    settings = server_properties(Node(1, 9093), port=9092, log_dir="/d", listeners=[extra])
    assert settings["advertised.listeners"].endswith(f",{extra}")
    mapping = settings["listener.security.protocol.map"]
    assert mapping.endswith(",SASL_PLAINTEXT:SASL_PLAINTEXT")


def test_a_cluster_of_three_survives_the_loss_of_one() -> None:
    node = Node(2, 12, voters={1: 11, 2: 12, 3: 13})
    settings = server_properties(node, port=1, log_dir="/d")
    voters = "1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13"
    assert settings["controller.quorum.voters"] == voters
    assert settings["transaction.state.log.replication.factor"] == "3"
    assert settings["min.insync.replicas"] == "2"


def test_clients_of_a_listener_may_be_told_another_address() -> None:
    settings = server_properties(
        Node(1, 9093),
        port=9092,
        log_dir="/d",
        listeners=["W1://127.0.0.1:9095"],
        advertised={"W1": "127.0.0.1:9195"},
    )
    assert settings["listeners"].split(",")[1] == "W1://127.0.0.1:9095"
    assert settings["advertised.listeners"].endswith(",W1://127.0.0.1:9195")
    assert settings["listener.security.protocol.map"].endswith(",W1:PLAINTEXT")


def test_extra_settings_win() -> None:
    settings = server_properties(Node(1, 2), port=1, log_dir="/d", extra={"num.partitions": "9"})
    assert "num.partitions=9\n" in as_text(settings)
