"""Two workers on Apache Kafka 4: a rebalance in the middle, a kill −9, and nothing miscounted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.runtime.topics import changelog_topic
from streams.settings import load_settings
from tests.bundles import make_tiny_bundle
from tests.e2e.reference import (
    assert_same_states,
    counted,
    read_topic,
    sequential_states,
    states_of_changelog,
)
from tests.e2e.traffic import Native, Sender, make_events
from tests.e2e.vectors import check_vectors
from tests.workers import WorkerProcess, wait_until

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

pytestmark = [pytest.mark.slow]

# 30 events a user: nobody has more than the window holds, so that a link merges exactly.
USERS, EVENTS = 400, 12_000


def test_states_and_vectors_equal_a_sequential_reference(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle")
    boot = kafka_server.bootstrap
    first = WorkerProcess.make(tmp_path / "a", bundle, boot, topic_prefix).start()
    second = WorkerProcess.make(tmp_path / "b", bundle, boot, topic_prefix)
    settings = load_settings(str(first.config))
    made = list(make_events(topic_prefix, USERS, EVENTS))
    records = [record for record, _ in made]
    users = sorted({user for _, user in made})
    sender = Sender(boot)
    third = EVENTS // 3
    try:
        first.wait_ready()
        sender.send(records[:third])
        for number, user in enumerate(users):
            if number % 2:  # the history under the local id moves to the user
                sender.link(f"{topic_prefix}.shop.links", f"s{user}", user)
        second.start()  # joins while the first still works: a rebalance in the middle
        sender.send(records[third : 2 * third])
        second.wait_ready()
        sender.send(records[2 * third :])
        wait_until(lambda: second.metric("interest_events_applied_total") > 100, 60, "b works")
        second.kill()
        second.start().wait_ready()
        wait_until(lambda: counted(settings, boot) >= EVENTS, 120, "everything is counted")
        for worker in (first, second):
            wait_until(lambda w=worker: w.metric("interest_lag_records") == 0, 60, "no lag")  # type: ignore[misc]
            assert worker.terminate() == 0, worker.log()[-4000:]
    finally:
        for worker in (first, second):
            worker.kill()

    linked = {user for number, user in enumerate(users) if number % 2}
    expected = sequential_states(settings, (_owned(record, user, linked) for record, user in made))
    entries = {k: r.value for k, r in read_topic(boot, changelog_topic(settings)).items()}
    assert_same_states(states_of_changelog(settings, entries), expected)
    assert sum(sum(s.events) for s in expected.values()) == EVENTS  # repeats not among them
    check_vectors(settings, bundle, boot, expected, {user: f"s{user}" for user in linked})


def _owned(record: Native, user: str, linked: set[str]) -> Native:
    """The event under the id that it belongs to once all links are known."""
    topic, key, event = record
    if "local_id" in event and user in linked:
        event = {**{k: v for k, v in event.items() if k != "local_id"}, "user_id": user}
    return topic, key, event
