"""A running worker exports what dashboard and alerts ask for, and its vectors reach a feed."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

import deploy
from deploy.dashboard.dashboard import ROWS
from deploy.dashboard.panels import metric_names
from streams.demo.broker import KAFKA_PYTHON_CONFIG, EmbeddedBroker, worker_config
from streams.demo.worker_process import WorkerProcess, free_port, write_config
from streams.subscribe.feed import InterestFeed, InterestUpdate
from streams.subscribe.ranking import ItemRanking
from tests.bundles import make_tiny_bundle

PLATFORMS = ("video", "shop", "news")
RULES = Path(deploy.__file__).parent / "prometheus" / "rules" / "interest-stream.yml"


def asked_for() -> set[str]:
    """Names of the metrics on panels and in rules."""
    panels = [query.expr for row in ROWS for panel in row.panels for query in panel.queries]
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule["expr"] for group in groups for rule in group["rules"]]
    return set().union(*(metric_names(expr) for expr in panels + rules))


def scraped(address: str) -> set[str]:
    """Names of the samples that a worker exports."""
    with urllib.request.urlopen(address + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {s.name for family in text_string_to_metric_families(text) for s in family.samples}


def settings(broker: EmbeddedBroker, folder: Path, port: int) -> Path:
    """The worker's settings file."""
    sections: dict[str, Any] = worker_config(broker.bootstrap)
    sections["service"] = {"bundle": folder / "bundle", "state_dir": folder / "state"}
    sections["http"] = {"port": port}
    sections["platforms"] = [{"name": name, "ids": "shared"} for name in PLATFORMS]
    path = folder / "worker.toml"
    write_config(path, sections)
    return path


def send_clicks(broker: EmbeddedBroker, count: int) -> None:
    """Clicks of ``ann`` in the shop, and one record that nobody can read."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, **KAFKA_PYTHON_CONFIG)
    for number in range(count):
        event = {"user_id": "ann", "item_id": f"shop-{number}", "time": time.time()}
        producer.send("shop.click", key=b"ann", value=json.dumps(event).encode())
    producer.send("shop.click", key=b"ann", value=b"not json")
    producer.flush()
    producer.close()


@pytest.fixture
def topics(embedded_broker: EmbeddedBroker) -> None:
    names = [f"{p}.{end}" for p in PLATFORMS for end in ("browse", "click", "purchase", "items")]
    vectors = [f"interest.vectors.{platform}" for platform in PLATFORMS]
    own = ["interest.events", "interest.deadletter", "interest-stream-users-changelog"]
    own += ["interest.consent", "interest.erasure"]
    own += ["interest.bundles", "interest.bundles.status"]
    embedded_broker.create_topics([*names, *vectors, *own])


@pytest.mark.usefixtures("topics")
def test_every_metric_of_dashboard_and_alerts_is_in_a_workers_scrape(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    items = ItemRanking.load(make_tiny_bundle(tmp_path / "bundle", PLATFORMS), "news")
    port = free_port()
    config = settings(embedded_broker, tmp_path, port)
    address = f"http://127.0.0.1:{port}"
    with WorkerProcess(config, address, tmp_path / "worker.log") as worker:
        worker.wait_ready()
        send_clicks(embedded_broker, 5)
        with InterestFeed(embedded_broker.bootstrap, "news", **KAFKA_PYTHON_CONFIG) as feed:
            updates = (entry for entry in feed if isinstance(entry, InterestUpdate))
            update = next(update for update in updates if update.events == 5)
        assert (update.id, update.sources) == ("ann", {"shop": 1.0})
        assert update.bundle == items.bundle_id
        assert len(items.top(update.vector, 3)) == 3
        deadline = time.monotonic() + 30
        while (missing := asked_for() - scraped(address)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not missing
