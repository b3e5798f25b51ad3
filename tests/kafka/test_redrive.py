"""On a real broker: dead letters go back to their topics, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from streams.cli import main as cli
from streams.intake.dead_letters import dead_letter
from streams.intake.dead_letters.redrive_header import HEADER
from tests.unit.streams.intake.dead_letters.test_redrive import letter
from tests.workers import write_settings

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

Redrive = Callable[..., tuple[int, str]]


@pytest.fixture
def redrive(
    kafka_server: KafkaServer,
    topic_prefix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Redrive:
    """Runs the command in this process; exit code and what it says."""
    path = write_settings(tmp_path, tmp_path, kafka_server.bootstrap, topic_prefix, port=1)

    def run(*arguments: str) -> tuple[int, str]:
        code = cli.main(["redrive", "--config", str(path), *arguments])
        out, err = capsys.readouterr()
        return code, out + err

    return run


def sent_to(bootstrap: str, topic: str) -> list[Any]:
    """Every record of partition 0."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end, records = consumer.end_offsets([partition])[partition], []
        while consumer.position(partition) < end:
            for polled in consumer.poll(timeout_ms=1000).values():
                records += polled
        return records
    finally:
        consumer.close()


def write_letters(bootstrap: str, dead: str, clicks: str, links: str) -> None:
    """Three letters that stand, one that was taken back, and something that is none."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    one = {"num_partitions": 1, "replication_factor": 1}
    admin.create_topics({dead: one, clicks: one, links: one})
    admin.close()
    letters = [
        letter(topic=clicks, offset=1, raw=b"first", seen_ms=1_000),
        letter(topic=clicks, offset=2, raw=b"taken back", seen_ms=2_000),
        letter(topic=clicks, offset=3, raw=b"\xffthird", key=None, headers=(), seen_ms=3_000),
        letter(topic=links, offset=4, platform="shop", reason="no_user", seen_ms=4_000),
    ]
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for made in letters:
        producer.send(dead, key=dead_letter.letter_key(made), value=dead_letter.encode(made))
    producer.send(dead, key=dead_letter.letter_key(letters[1]), value=None)
    producer.send(dead, key=b"x", value=b"no letter")
    producer.flush(30)
    producer.close()


def test_letters_go_back_where_they_came_from(
    kafka_server: KafkaServer, topic_prefix: str, redrive: Redrive
) -> None:
    dead, clicks, links = (
        f"{topic_prefix}.{end}" for end in ("deadletter", "video.click", "shop.links")
    )
    code, said = redrive()
    assert code == 1
    assert "doesn't exist" in said
    write_letters(kafka_server.bootstrap, dead, clicks, links)

    code, said = redrive()
    assert (code, sent_to(kafka_server.bootstrap, clicks)) == (0, [])
    assert f"2  {clicks}  from_future" in said
    assert "--compacted" in said
    assert "2 would be sent; add --send" in said

    assert redrive("--send", "--platform", "video", "--since", "1970-01-01T00:00:02Z")[0] == 0
    assert [r.value for r in sent_to(kafka_server.bootstrap, clicks)] == [b"\xffthird"]
    assert redrive("--send", "--limit", "1")[0] == 0
    third, first = sent_to(kafka_server.bootstrap, clicks)
    assert (first.key, first.value, third.key) == (b"k", b"first", None)
    name = f"{clicks}/2/1@1700000000000".encode()
    assert first.headers == [("trace", b"1"), (HEADER, name)]
    assert [name for name, _ in third.headers] == [HEADER]
    assert sent_to(kafka_server.bootstrap, links) == []

    assert redrive("--platform", "radio")[0] == 2
    assert redrive("--since", "yesterday")[0] == 2
