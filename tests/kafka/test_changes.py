"""On a real broker, while events flow: a platform's topic grows, and bundles change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from streams.bundles.bundle import Bundle
from streams.cli import main as cli
from streams.runtime.bundles.announcement import PARTITION, Announcement, encode
from streams.runtime.bundles.loading import manifest_checksum
from streams.runtime.topics import changelog_topic
from streams.settings import Settings, load_settings
from streams.subscribe.schema import decode
from tests.bundles import make_tiny_bundle
from tests.e2e.reference import (
    assert_same_states,
    counted,
    read_topic,
    sequential_states,
    states_of_changelog,
)
from tests.e2e.traffic import Native, Sender, make_events
from tests.workers import PLATFORMS, WorkerProcess, wait_until

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

USERS, EVENTS = 30, 1_200
"""Some ten events for each id: fewer than a window holds, so a rebuilt state is exact."""
MORE = 3


def finish(worker: WorkerProcess, settings: Settings, boot: str, count: int) -> None:
    """All is in the states."""
    applied = "interest_events_applied_total"
    wait_until(lambda: worker.metric(applied) >= count, 90, f"{count} events are applied")
    wait_until(lambda: counted(settings, boot) >= count, 60, f"{count} events are counted")


def check(settings: Settings, boot: str, records: list[Native], bundle: Path) -> None:
    """States equal one pass over the records under a bundle."""
    service = settings.service.model_copy(update={"bundle": bundle})
    wanted = sequential_states(settings.model_copy(update={"service": service}), records)
    changelog = read_topic(boot, changelog_topic(settings))
    found = states_of_changelog(settings, {key: r.value for key, r in changelog.items()})
    assert_same_states(found, wanted)


def grow(boot: str, topics: list[str]) -> None:
    """Each topic gets more partitions, of which every new record may be in one."""
    admin = AdminClient({"bootstrap.servers": boot})
    known = admin.list_topics(timeout=30).topics
    wanted = [NewPartitions(topic, len(known[topic].partitions) + MORE) for topic in topics]
    for done in admin.create_partitions(wanted).values():
        done.result(30)
    wait_until(
        lambda: all(
            len(admin.list_topics(topic, timeout=30).topics[topic].partitions)
            == len(known[topic].partitions) + MORE
            for topic in topics
        ),
        30,
        "the topics have grown",
    )


def test_partitions_that_a_topic_gets_meanwhile_are_read(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's key moves to another partition; its order is that of event time."""
    monkeypatch.setenv("CONSUMER_METADATA_MAX_AGE_MS", "1000")  # 5 minutes where it isn't said
    boot, half = kafka_server.bootstrap, EVENTS // 2
    bundle = make_tiny_bundle(tmp_path / "bundle")
    records = [record for record, _ in make_events(topic_prefix, USERS, EVENTS)]
    worker = WorkerProcess.make(tmp_path / "a", bundle, boot, topic_prefix)
    settings = load_settings(str(worker.config))
    clicks = [f"{topic_prefix}.{name}.click" for name in PLATFORMS]
    with worker:
        worker.wait_ready()
        Sender(boot).send(records[:half])
        wait_until(lambda: worker.metric("interest_events_applied_total") > 100, 60, "it works")
        mine = "interest_partitions_assigned"
        wait_until(lambda: worker.metric(mine) > 0, 30, "it has counted its partitions")
        assigned = worker.metric(mine)
        grow(boot, clicks)
        Sender(boot).send(records[half:])  # a producer that knows of the new partitions
        finish(worker, settings, boot, EVENTS)
        wanted = assigned + MORE * len(clicks)
        wait_until(lambda: worker.metric(mine) == wanted, 30, "all are assigned")
        assert worker.terminate() == 0, worker.log()[-4_000:]
    check(settings, boot, records, bundle)


def announce_damaged(boot: str, settings: Settings, folder: Path) -> None:
    """Announce past the command's own check."""
    announcement = Announcement(
        Bundle.load(folder).bundle_id, str(folder), manifest_checksum(folder)
    )
    graph = folder / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    producer = Producer({"bootstrap.servers": boot})
    value = encode(announcement)
    producer.produce(settings.bundles.topic, value, announcement.bundle, partition=PARTITION)
    assert producer.flush(30) == 0


def published_by(settings: Settings, boot: str) -> set[str]:
    """Bundles of the last vectors of everybody on every platform."""
    records = [
        record
        for topic in settings.output_topics().values()
        for record in read_topic(boot, topic).values()
    ]
    return {decode(record.value, record.headers).bundle for record in records}


def test_bundles_are_swapped_and_refused_while_events_flow(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path
) -> None:
    boot, third = kafka_server.bootstrap, EVENTS // 3
    bundle = make_tiny_bundle(tmp_path / "bundle")
    other = make_tiny_bundle(tmp_path / "other", seed=1)
    damaged = make_tiny_bundle(tmp_path / "damaged", seed=2)
    shutil.copytree(damaged, tmp_path / "announced")
    records = [record for record, _ in make_events(topic_prefix, USERS, EVENTS)]
    sections = {"bundles": {"rebuild_users_s": 500}, "service": {"batch_records": 100}}
    worker = WorkerProcess.make(tmp_path / "a", bundle, boot, topic_prefix, sections=sections)
    settings, sender = load_settings(str(worker.config)), Sender(boot)
    new = Bundle.load(other).bundle_id
    with worker:
        worker.wait_ready()
        sender.send(records[:third])
        wait_until(lambda: worker.metric("interest_events_applied_total") > 100, 60, "it works")
        announce = ["bundle", "--config", str(worker.config), "announce"]
        assert cli.main([*announce, str(other)]) == 0
        sender.send(records[third : 2 * third])
        swaps = "interest_bundle_swaps_total"
        wait_until(lambda: worker.metric(swaps) == 1, 60, "the bundle is swapped")

        announce_damaged(boot, settings, tmp_path / "announced")
        sender.send(records[2 * third :])
        refusals = 'interest_bundle_refusals_total{reason="damaged"}'
        wait_until(lambda: worker.metric(refusals) >= 1, 60, "the damaged one is refused")
        finish(worker, settings, boot, EVENTS)
        rebuilding = "interest_rebuilding_partitions"
        wait_until(lambda: worker.metric(rebuilding) == 0, 60, "all have come over")
        assert worker.get("/health/ready")["bundle"] == new
        assert worker.metric(swaps) == 1
        wait_until(lambda: published_by(settings, boot) == {new}, 30, "all vectors are of it")
        assert worker.terminate() == 0, worker.log()[-4_000:]
    check(settings, boot, records, other)
