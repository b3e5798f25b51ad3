"""A worker sleeps until its partitions are another's, wakes up with a batch in its hands."""

from __future__ import annotations

import os
import signal
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
from tests.e2e.traffic import Sender, make_events
from tests.e2e.vectors import check_vectors
from tests.workers import WorkerProcess, wait_until

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

pytestmark = [pytest.mark.slow]

USERS, EVENTS = 150, 6_000


def test_what_a_paused_worker_sends_late_changes_nothing(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle")
    boot = kafka_server.bootstrap
    sleeper = WorkerProcess.make(tmp_path / "a", bundle, boot, topic_prefix).start()
    other = WorkerProcess.make(tmp_path / "b", bundle, boot, topic_prefix)
    settings = load_settings(str(sleeper.config))
    records = [record for record, _ in make_events(topic_prefix, USERS, EVENTS)]
    sender = Sender(boot)
    try:
        sleeper.wait_ready()
        other.start().wait_ready()
        sender.send(records[: EVENTS // 2])
        wait_until(lambda: sleeper.metric("interest_events_applied_total") > 0, 60, "it works")
        os.kill(sleeper.process.pid, signal.SIGSTOP)
        before = _noticed(sleeper)
        sender.send(records[EVENTS // 2 :])
        wait_until(lambda: counted(settings, boot) >= EVENTS, 120, "the other has counted all")
        os.kill(sleeper.process.pid, signal.SIGCONT)
        wait_until(lambda: _noticed(sleeper) > before, 60, "it has noticed")
        if "stopping" in sleeper.log():  # shut out in mid-batch: it ends, and is restarted
            assert sleeper.process.wait(60) != 0
            sleeper.start()
        for worker in (sleeper, other):
            worker.wait_ready()
            wait_until(lambda w=worker: w.metric("interest_lag_records") == 0, 60, "no lag")  # type: ignore[misc]
            assert worker.terminate() == 0, worker.log()[-4000:]
    finally:
        for worker in (sleeper, other):
            worker.kill()

    expected = sequential_states(settings, records)
    entries = {k: r.value for k, r in read_topic(boot, changelog_topic(settings)).items()}
    assert_same_states(states_of_changelog(settings, entries), expected)
    assert sum(sum(s.events) for s in expected.values()) == EVENTS
    check_vectors(settings, bundle, boot, expected, {})


def _noticed(worker: WorkerProcess) -> int:
    """How often it has said that it lost its partitions, or that it ends."""
    return worker.log().count("not ready") + worker.log().count("stopping")
