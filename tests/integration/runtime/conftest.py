"""The embedded broker with all topics of a worker, and what tests ask of both."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.demo.broker import KAFKA_PYTHON_CONFIG, EmbeddedBroker, worker_config
from tests.bundles import make_tiny_bundle
from tests.support import require
from tests.workers import ACTIONS, PLATFORMS, WORKER, Broker, WorkerProcess

PREFIX = "line"


@dataclass
class Service:
    """A worker on the embedded broker, and the broker's two ends."""

    worker: WorkerProcess
    broker: Broker
    bundle: Path
    bootstrap: str

    def send(self, topic: str, key: str | None, value: Any) -> tuple[int, int]:
        return self.broker.send(f"{PREFIX}.{topic}", key, value)


StartService = Callable[..., AbstractContextManager[Service]]


def topics(outputs: list[str]) -> list[str]:
    """Topics that others write or read, and the log."""
    names = [f"{PREFIX}.{p}.{end}" for p in PLATFORMS for end in (*ACTIONS, "items")]
    links = [f"{PREFIX}.{p}.links" for p, ids in PLATFORMS.items() if ids == "linked"]
    return [*names, *links, *outputs, *(f"{PREFIX}.{x}" for x in ("consent", "erasure", "events"))]


OWN_TOPICS = (
    f"{PREFIX}.deadletter",
    f"{PREFIX}-users-changelog",
    f"{PREFIX}.bundles",
    f"{PREFIX}.bundles.status",
)


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory) -> StartService:
    """Starts a broker and a worker with further settings, for as long as a ``with`` block."""
    require(
        "confluent-kafka",
        importlib.util.find_spec("confluent_kafka"),
        "pip install 'interest-stream[demo]'",
    )
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("line") / "bundle")

    @contextmanager
    def start(
        outputs: list[str],
        sections: Mapping[str, Mapping[str, Any]] | None = None,
        command: tuple[str, ...] = WORKER,
    ) -> Iterator[Service]:
        folder = tmp_path_factory.mktemp("worker")
        with EmbeddedBroker() as embedded:
            embedded.create_topics([*topics(outputs), *OWN_TOPICS])
            own = {k: dict(v) for k, v in worker_config(embedded.bootstrap).items()}
            for name, section in (sections or {}).items():
                own[name] = {**own.get(name, {}), **section}
            worker = WorkerProcess.make(
                folder, bundle, embedded.bootstrap, PREFIX, sections=own, command=command
            )
            read = [*outputs, f"{PREFIX}.deadletter"]
            broker = Broker(embedded.bootstrap, read, **KAFKA_PYTHON_CONFIG)
            try:
                with worker:
                    yield Service(worker.wait_ready(), broker, bundle, embedded.bootstrap)
            finally:
                broker.close()

    return start
