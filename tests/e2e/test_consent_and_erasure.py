"""Consent withdrawn and users erased while events flow and a worker is killed, on real Kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from confluent_kafka import Producer

from models.contract import ACTIONS
from streams.admin.erasure.search import Topics
from streams.admin.erasure.traces import Verdict
from streams.bundles.bundle import Bundle
from streams.cli import main as cli
from streams.effects.effects import LogBatch
from streams.inference.engine import Engine
from streams.log import codec
from streams.log.keys import user_key
from streams.log.records import Consent, Event, LogRecord
from streams.runtime.web.user_view import describe_user
from streams.settings import Settings, load_settings
from streams.subscribe.schema import decode
from tests.bundles import make_tiny_bundle
from tests.e2e.group import wait_committed
from tests.e2e.reference import NoStore, read_topic
from tests.e2e.traffic import Native, Sender, make_events
from tests.updaters import make_updater
from tests.workers import WorkerProcess, wait_until

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

# 40 events a user: all in the window, so that what consent leaves is all of the other sources.
USERS, EVENTS = 50, 2_000
WISHES = {
    "user-3": {"denied": [{"source": "video", "target": "shop"}]},  # linked
    "user-4": {"denied": [{"source": "*", "target": "news"}]},
    "user-6": {"allowed": [{"source": "video", "target": "video"}]},
}
ERASED = ("user-1", "user-2")
"""One with a link, one without."""
Keyed = tuple[int, str, LogRecord]
"""partition, key, record"""
Shown = dict[tuple[str, str], np.ndarray[Any, Any]]
"""(target, id) → vector"""


def test_the_erased_are_gone_and_vectors_are_of_allowed_sources(
    kafka_server: KafkaServer,
    topic_prefix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    boot, third = kafka_server.bootstrap, EVENTS // 3
    bundle = make_tiny_bundle(tmp_path / "bundle")
    records = [record for record, _ in make_events(topic_prefix, USERS, EVENTS)]
    sections = {"service": {"batch_records": 50}}
    worker = WorkerProcess.make(tmp_path / "a", bundle, boot, topic_prefix, sections=sections)
    settings, sender = load_settings(str(worker.config)), Sender(boot)
    with worker:
        worker.wait_ready()
        for number in range(1, USERS, 2):
            sender.link(f"{topic_prefix}.shop.links", f"suser-{number}", f"user-{number}")
        sender.send([*_bad(topic_prefix), *records[:third]])
        wait_until(lambda: _applied(worker) > 100, 60, "it works")
        letters = "interest_dead_letters_total"
        wait_until(lambda: worker.metric(letters) >= 4, 60, "dead letters are written")
        _ask(boot, settings)
        sender.send(records[third : 2 * third])
        wait_until(lambda: worker.metric("interest_users_erased_total") > 0, 60, "an erasure")
        worker.kill()
        worker.start().wait_ready()
        sender.send(records[2 * third :])
        wait_committed(worker, settings, [*settings.intake_topics(), settings.events.topic])
        assert worker.terminate() == 0, worker.log()[-4000:]

    logged = _read_log(settings)
    shown, published = _reference(settings, logged), _published(settings)
    assert published.keys() == shown.keys()
    for address, vector in shown.items():
        assert np.allclose(published[address], vector, atol=0.02), address
    _check_consent(settings, logged, published)
    _check_proofs(worker.config, capsys)


def _applied(worker: WorkerProcess) -> float:
    return worker.metric("interest_events_applied_total")


def _bad(prefix: str) -> list[Native]:
    """Records without an item: dead letters that hold erased ids, and one that doesn't."""
    ids = [{"user_id": user} for user in (*ERASED, "user-5")]
    made = [(f"{prefix}.video.click", next(iter(one.values())), one) for one in ids]
    return [*made, (f"{prefix}.shop.click", "suser-1", {"local_id": "suser-1"})]


def _ask(boot: str, settings: Settings) -> None:
    """Users say what they allow, and some are to be erased."""
    producer = Producer({"bootstrap.servers": boot})
    for user, wish in WISHES.items():
        producer.produce(settings.consent.topic, key=user, value=json.dumps(wish))
    for user in ERASED:
        producer.produce(settings.erasure.topic, key=user, value=json.dumps({"user_id": user}))
    assert producer.flush(30) == 0


def _read_log(settings: Settings) -> list[Keyed]:
    topics = Topics(settings)
    try:
        records = topics.read(settings.events.topic)
        return [
            (r.partition, (r.key or b"").decode(), codec.decode(r.value or b"")) for r in records
        ]
    finally:
        topics.close()


def _reference(settings: Settings, logged: list[Keyed]) -> Shown:
    """Every user's vectors after one pass over the log, in one process."""
    bundle = Bundle.load(settings.service.bundle)
    engine = Engine(bundle.step_path, bundle.migrate_path, "cpu")
    updater = make_updater(settings, bundle, engine)
    for partition in range(settings.events.partitions):
        mine = [(key, record) for number, key, record in logged if number == partition]
        keys = [key.encode() for key, _ in mine]
        values = [codec.encode(record) for _, record in mine]
        batch = LogBatch(partition, list(range(len(mine))), list(keys), list(values))
        effects = updater.process([batch], NoStore())
        assert not effects.refused
    rows = [row for row, key in enumerate(updater.slab.keys) if key is not None]
    return {
        (vector["target"], vector["id"]): np.array(vector["vector"], np.float32)
        for row in rows
        for vector in describe_user(updater, row, ACTIONS, 0)["vectors"]
    }


def _published(settings: Settings) -> Shown:
    boot = settings.kafka.bootstrap[0]
    return {
        (target, key.decode()): decode(record.value, record.headers).vector
        for target, topic in settings.output_topics().items()
        for key, record in read_topic(boot, topic).items()
    }


def _check_consent(settings: Settings, logged: list[Keyed], published: Shown) -> None:
    """Vectors equal those of histories in which the forbidden events never were."""
    without = _reference(settings, [one for one in logged if not _forbidden(one)])
    shop, video = ("shop", "suser-3"), ("video", "user-6")
    assert np.allclose(published[shop], without[shop], atol=0.02)
    assert np.allclose(published[video], without[video], atol=0.02)
    assert ("news", "user-4") not in published
    assert ("news", "user-6") not in published
    with_all = _reference(settings, [one for one in logged if not isinstance(one[2], Consent)])
    assert not np.allclose(with_all[shop], without[shop], atol=0.02), "the events would show"


def _forbidden(one: Keyed) -> bool:
    _, key, record = one
    if isinstance(record, Consent):
        return True
    if not isinstance(record, Event):
        return False
    of_three = key == user_key("user-3") and record.platform == "video"
    return of_three or (key == user_key("user-6") and record.platform != "video")


def _check_proofs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def prove(*words: str) -> tuple[int, list[dict[str, Any]]]:
        code = cli.main(["erasure", "prove", *words, "--json", "--config", str(config)])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def topics(found: list[dict[str, Any]], verdict: Verdict) -> set[str]:
        of_it = {one["topic"] for one in found if one["verdict"] == verdict.value}
        return {topic.partition(".")[2] or topic.rpartition("-")[2] for topic in of_it}

    for user in ERASED:
        code, found = prove(user)
        assert code == 0, found
        assert topics(found, Verdict.KEPT) == {"erasure", "changelog"}
        assert topics(found, Verdict.EXPIRES) == {"events"}
        assert topics(found, Verdict.YOURS) == ({"shop.links"} if user == "user-1" else set())
        assert topics(found, Verdict.LATER) == set(), "all events are of before the erasure"
    code, found = prove("user-5")
    assert code == 1
    assert topics(found, Verdict.LEFT) == {
        *("changelog", "deadletter"),
        *("vectors.video", "vectors.shop", "vectors.news"),
    }
    assert prove("nobody") == (0, [])
