"""The local Kafka server itself: it answers, it crashes, it keeps what was acknowledged."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from deploy.kafka import KafkaServer, KafkaServerError
from deploy.kafka.probe import is_ready

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("kafka_tools")]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[KafkaServer]:
    with KafkaServer(data_dir=tmp_path, heap_mb=256) as server:
        yield server


def create(bootstrap: str, topic: str, partitions: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}})
    finally:
        admin.close()


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    try:
        for sent in [producer.send(topic, value) for value in values]:
            sent.get(timeout=30)
    finally:
        producer.close()


def consume(bootstrap: str, topic: str) -> list[bytes]:
    """Every value of partition 0, up to the end that the broker names."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        while consumer.position(partition) < end:
            for records in consumer.poll(timeout_ms=1000).values():
                values += [record.value for record in records]
        return values
    finally:
        consumer.close()


def test_what_is_produced_is_consumed(kafka_server: KafkaServer, topic_prefix: str) -> None:
    values = [b"%d" % number for number in range(100)]
    create(kafka_server.bootstrap, topic_prefix)
    produce(kafka_server.bootstrap, topic_prefix, values)
    assert consume(kafka_server.bootstrap, topic_prefix) == values


def test_a_crash_keeps_what_was_acknowledged(own_server: KafkaServer, topic_prefix: str) -> None:
    create(own_server.bootstrap, topic_prefix)
    produce(own_server.bootstrap, topic_prefix, [b"before"])
    own_server.kill()
    assert own_server.pid is None
    assert not is_ready("127.0.0.1", own_server.port)
    own_server.start()
    produce(own_server.bootstrap, topic_prefix, [b"after"])
    assert consume(own_server.bootstrap, topic_prefix) == [b"before", b"after"]


def test_an_orderly_restart_keeps_address_and_data(
    own_server: KafkaServer, topic_prefix: str
) -> None:
    bootstrap = own_server.bootstrap
    create(bootstrap, topic_prefix)
    produce(bootstrap, topic_prefix, [b"kept"])
    own_server.restart()
    assert own_server.bootstrap == bootstrap
    assert consume(bootstrap, topic_prefix) == [b"kept"]


def test_a_second_start_is_refused(own_server: KafkaServer) -> None:
    with pytest.raises(KafkaServerError, match="runs already"):
        own_server.start()


def test_a_taken_port_is_named_with_the_servers_log(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = KafkaServer(data_dir=tmp_path, port=taken.getsockname()[1], heap_mb=256)
        with pytest.raises(KafkaServerError, match="Address already in use"):
            server.start()
    assert server.pid is None


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    server = KafkaServer(data_dir=tmp_path, properties={"num.partitions": "many"})
    with pytest.raises(KafkaServerError, match=r"many for configuration num\.partitions"):
        server.start()


def test_the_command_runs_around_another_and_passes_its_status_on() -> None:
    code = "import os, sys; print(sys.argv[1], os.environ['KAFKA_BOOTSTRAP']); sys.exit(3)"
    command = [sys.executable, "-m", "deploy.kafka", "--heap", "256", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", code, "at {broker}"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    started, ran = done.stdout.splitlines()
    address = started.split()[1]
    assert ran == f"at {address} {address}"
