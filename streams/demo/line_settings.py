"""Broker, topics and settings of the demo's worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from streams.demo.broker import EmbeddedBroker, worker_config
from streams.demo.producer import TopicNames
from streams.demo.simulator.people import LINKED
from streams.demo.simulator.topics import PLATFORMS
from streams.demo.worker_process import free_port, write_config
from streams.runtime.topics import wanted_topics
from streams.settings import parse_settings

LABELS: Final = 3
"""In each message; more don't fit into a line."""


def demo_settings(bootstrap: str, bundle: Path, folder: Path, port: int) -> dict[str, Any]:
    """The worker's settings for the demo, as sections of its TOML file.

    Each platform has one topic for its events. With a topic for each action, a browse and the
    click after it, half a minute apart, would be read in any order: simulated time runs
    thousands of times faster than the real one.
    """
    platforms: list[dict[str, Any]] = [
        {"name": name, "topics": {"any": [f"{name}.events"]}} for name in PLATFORMS
    ]
    for platform in platforms:
        if platform["name"] in LINKED:
            platform["ids"] = "linked"
    broker = worker_config(bootstrap)
    return {
        "service": {
            "name": "demo",
            "bundle": bundle.resolve(),
            "state_dir": folder / "state",
            "store": "memory",
        },
        **broker,
        "http": {"port": port},
        "output": {**broker["output"], "labels": LABELS},
        # CUDA takes longer to start than this demo's batches take on a CPU altogether.
        "onnx": {"providers": "cpu"},
        "platforms": platforms,
    }


def configure(broker: EmbeddedBroker, folder: Path, bundle: Path) -> tuple[Path, str, TopicNames]:
    """Settings file, base URL and topics of the worker; all topics exist afterwards."""
    port = free_port()
    sections = demo_settings(broker.bootstrap, bundle, folder, port)
    write_config(folder / "worker.toml", sections)
    settings = parse_settings(sections)
    broker.create_topics([topic.name for topic in wanted_topics(settings)])
    return folder / "worker.toml", f"http://127.0.0.1:{port}", TopicNames.of(settings)
