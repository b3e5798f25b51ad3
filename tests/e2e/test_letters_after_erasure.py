"""A worker dies between its dead letters and their commit, and somebody is erased in between."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from streams.admin.erasure.search import Topics
from streams.cli import main as cli
from streams.settings import Settings, load_settings
from tests.bundles import make_tiny_bundle
from tests.e2e.group import wait_committed
from tests.workers import WORKER, WorkerProcess, wait_until

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_letters_that_an_erasure_took_back_dont_come_back(
    kafka_server: KafkaServer,
    topic_prefix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clicks = f"{topic_prefix}.video.click"
    worker = WorkerProcess.make(
        tmp_path / "a", make_tiny_bundle(tmp_path / "bundle"), kafka_server.bootstrap, topic_prefix,
        command=(sys.executable, "-m", "tests.e2e.forgetful_worker", clicks),
    )  # fmt: skip
    settings = load_settings(str(worker.config))
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap, "enable.idempotence": True})

    def send(topic: str, *users: str) -> None:
        """Clicks without an item, which nobody can use; or orders to erase."""
        for user in users:
            producer.produce(topic, key=user, value=json.dumps({"user_id": user}))
        assert producer.flush(30) == 0

    with worker:
        worker.wait_ready()
        send(clicks, "ann", "bob", "ann")
        wait_until(lambda: worker.metric("interest_dead_letters_total") == 3, 60, "three letters")
        send(settings.erasure.topic, "ann")
        removed = "interest_dead_letters_removed_total"
        wait_until(lambda: worker.metric(removed) == 2, 60, "Ann's are taken back")
        wait_committed(worker, settings, [settings.erasure.topic, settings.events.topic])
        worker.kill()

        send(clicks, "bob")
        worker.command = WORKER
        worker.start().wait_ready()
        wait_committed(worker, settings, [*settings.intake_topics(), settings.events.topic])
        assert worker.metric(removed) == 0, "the erasure was committed, and isn't done again"
        assert worker.metric("interest_dead_letters_total") == 1
        assert worker.terminate() == 0, worker.log()[-4000:]
    assert cli.main(["erasure", "prove", "ann", "--config", str(worker.config)]) == 0
    assert settings.deadletter.topic not in capsys.readouterr().out
    assert sorted(_keys(settings).values()) == [1, 1, 2, 2]


def _keys(settings: Settings) -> Counter[bytes]:
    """How often the topic has each letter's key: Bob's once, Ann's with a tombstone each."""
    topics = Topics(settings)
    try:
        return Counter(record.key or b"" for record in topics.read(settings.deadletter.topic))
    finally:
        topics.close()
