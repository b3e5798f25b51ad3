"""A worker that is stopped in the middle and started again: nothing lost, nothing twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.runtime.topics import changelog_topic
from streams.settings import Settings, load_settings
from tests.bundles import make_tiny_bundle
from tests.e2e.reference import (
    applied_offsets,
    assert_same_states,
    counted,
    read_topic,
    sequential_states,
    states_of_changelog,
)
from tests.e2e.traffic import Native, Sender, make_events
from tests.workers import WorkerProcess, wait_until

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

pytestmark = pytest.mark.slow

USERS, EVENTS = 100, 6_000


def stop(worker: WorkerProcess, settings: Settings, boot: str) -> None:
    """Within 10 s, and everything that is in a state is committed."""
    assert worker.terminate(timeout_s=12) == 0, worker.log()[-4_000:]
    changelog = read_topic(boot, changelog_topic(settings))
    applied = applied_offsets(settings, {k: r.value for k, r in changelog.items()})
    consumer = Consumer({"bootstrap.servers": boot, "group.id": settings.service.name})
    try:
        places = [TopicPartition(settings.events.topic, p) for p in applied]
        committed = {p.partition: p.offset for p in consumer.committed(places, timeout=10)}
    finally:
        consumer.close()
    assert all(committed[partition] > offset for partition, offset in applied.items())


def recovered(worker: WorkerProcess) -> float:
    return worker.metric("interest_recovered_records_total")


def finish(worker: WorkerProcess, settings: Settings, boot: str, count: int) -> None:
    """Wait until so many events are in the states, and nothing is left to read."""
    wait_until(lambda: counted(settings, boot) >= count, 60, f"{count} events are counted")
    wait_until(lambda: worker.metric("interest_lag_records") == 0, 30, "no lag")


def check_states(settings: Settings, boot: str, records: list[Native]) -> None:
    values = {
        k: r.value for k, r in read_topic(boot, f"{settings.service.name}-users-changelog").items()
    }
    assert_same_states(states_of_changelog(settings, values), sequential_states(settings, records))


def test_it_goes_on_where_it_stopped_with_its_store_and_without(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path
) -> None:
    boot, third = kafka_server.bootstrap, EVENTS // 3
    bundle = make_tiny_bundle(tmp_path / "bundle")
    records = [record for record, _ in make_events(topic_prefix, USERS, EVENTS)]
    sender = Sender(boot)
    # Small batches, so that the stop comes between many of them.
    sections = {"service": {"batch_records": 50}}
    worker = WorkerProcess.make(tmp_path / "a", bundle, boot, topic_prefix, sections=sections)
    settings = load_settings(str(worker.config))
    with worker:
        worker.wait_ready()
        sender.send(records[:third])
        wait_until(lambda: worker.metric("interest_events_applied_total") > 100, 30, "it works")
        stop(worker, settings, boot)  # in the middle of the first third, or right after it
        before = counted(settings, boot)
        sender.send(records[third : 2 * third])  # while nobody is there

        worker.start().wait_ready()
        finish(worker, settings, boot, 2 * third)
        # The store was kept, and the worker doesn't read its own writes back.
        assert recovered(worker) <= 4 * settings.events.partitions
        assert before + worker.metric("interest_events_applied_total") == 2 * third
        stop(worker, settings, boot)
        check_states(settings, boot, records[: 2 * third])

        shutil.rmtree(tmp_path / "a" / "state")
        worker.start().wait_ready()
        assert worker.get("/users/user-1")["events"] > 0  # recovered from the changelog
        wait_until(lambda: recovered(worker) >= USERS, 30, "it says what it recovered")
        sender.send(records[2 * third :])
        finish(worker, settings, boot, EVENTS)
        stop(worker, settings, boot)
    check_states(settings, boot, records)
