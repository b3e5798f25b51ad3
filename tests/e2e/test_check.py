"""``interest-stream check`` and the worker's start against a real broker's topics."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
)

from streams.cli import check, main
from tests.bundles import make_tiny_bundle
from tests.workers import ROOT, write_settings

if TYPE_CHECKING:
    from deploy.kafka import KafkaServer

DAY_MS = 86_400_000
Check = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("check") / "bundle")


@pytest.fixture
def admin(kafka_server: KafkaServer) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_server.bootstrap})


@pytest.fixture
def run_check(
    kafka_server: KafkaServer,
    topic_prefix: str,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Check:
    """Runs the command in this process; exit code, stdout and stderr."""
    monkeypatch.setattr(check, "configure_logging", lambda level: None)  # pytest's own stays

    def run(**sections: Any) -> tuple[int, str, str]:
        boot = kafka_server.bootstrap
        path = write_settings(tmp_path, bundle, boot, topic_prefix, port=1, sections=sections)
        code = main.main(["check", "--config", str(path)])
        return (code, *capsys.readouterr())

    return run


def create(admin: AdminClient, name: str, partitions: int, **config: str) -> None:
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
    admin.create_topics([topic])[name].result(30)


def test_it_creates_what_is_missing_with_the_documented_settings(
    run_check: Check, admin: AdminClient, topic_prefix: str
) -> None:
    sections = {"events": {"partitions": 6}, "intake": {"partitions": 3, "retention_days": 2}}
    code, out, _ = run_check(**sections)
    assert code == 0
    assert "topics    ok  23, 23 created" in out
    wanted = {
        "events": (6, "delete", 7 * DAY_MS),
        "users-changelog": (6, "compact", None),
        "deadletter": (1, "compact,delete", 30 * DAY_MS),
        "shop.links": (3, "compact", None),
        "consent": (3, "compact", None),
        "video.items": (3, "compact", None),
        "news.click": (3, "delete", 2 * DAY_MS),
        "vectors.shop": (8, "compact", None),
    }
    names = {end: f"{topic_prefix}{'-' if end.startswith('users') else '.'}{end}" for end in wanted}
    found = admin.list_topics(timeout=10).topics
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names.values()]
    configs = {r.name: f.result(30) for r, f in admin.describe_configs(resources).items()}
    for end, (partitions, policy, retention) in wanted.items():
        config = configs[names[end]]
        assert len(found[names[end]].partitions) == partitions, end
        assert config["cleanup.policy"].value == policy, end
        if retention:
            assert int(config["retention.ms"].value) == retention, end
    again = run_check(**sections)
    assert again[0] == 0
    assert "topics    ok  23\n" in again[1]
    assert "warning" not in again[1]


def test_a_log_with_other_partitions_is_refused(
    run_check: Check, admin: AdminClient, topic_prefix: str
) -> None:
    create(admin, f"{topic_prefix}.events", 3)
    code, _, err = run_check()
    assert code == 1
    assert f"'{topic_prefix}.events' (events.topic) has 3 partitions" in err
    assert "set events.partitions = 3" in err


def test_missing_topics_that_it_may_not_create_are_listed(
    run_check: Check, admin: AdminClient, topic_prefix: str
) -> None:
    code, _, err = run_check(kafka={"create_topics": False})
    assert code == 1
    assert f"{topic_prefix}.shop.links (platforms[shop].links)" in err
    assert "kafka.create_topics = true" in err
    assert not [name for name in admin.list_topics(timeout=10).topics if topic_prefix in name]


def test_more_replicas_than_brokers_is_refused_with_the_setting(run_check: Check) -> None:
    code, _, err = run_check(kafka={"replication_factor": 3})
    assert code == 1
    assert "couldn't be created" in err
    assert "kafka.replication_factor (3)" in err


def test_a_wrong_cleanup_policy_is_a_warning(
    run_check: Check, admin: AdminClient, topic_prefix: str
) -> None:
    create(admin, f"{topic_prefix}.vectors.shop", 8, **{"cleanup.policy": "delete"})
    code, out, _ = run_check()
    assert code == 0
    assert f"warning   topic '{topic_prefix}.vectors.shop' (output.topic)" in out
    assert "cleanup.policy=delete, it should be compact" in out


def test_the_worker_refuses_to_start_for_the_same_reasons(
    admin: AdminClient, kafka_server: KafkaServer, topic_prefix: str, bundle: Path, tmp_path: Path
) -> None:
    create(admin, f"{topic_prefix}-users-changelog", 5)
    path = write_settings(tmp_path, bundle, kafka_server.bootstrap, topic_prefix, port=1)
    command = [sys.executable, "-m", "streams.cli", "worker", "--config", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"{topic_prefix}-users-changelog' (service.name) has 5 partitions" in done.stderr
    assert "Traceback" not in done.stderr
