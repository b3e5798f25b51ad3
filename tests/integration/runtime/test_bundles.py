"""Bundles change while the worker runs, on the embedded broker: announced, refused, taken back."""

from __future__ import annotations

import io
import json
import shutil
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer

from streams.bundles.bundle import Bundle
from streams.cli import main as cli
from streams.runtime.bundles.announcement import PARTITION, Announcement, encode
from streams.runtime.bundles.loading import manifest_checksum
from streams.settings import load_settings
from tests.bundles import make_tiny_bundle
from tests.e2e.reference import sequential_states, vectors_of_states
from tests.integration.runtime.conftest import PREFIX, Line, StartLine
from tests.workers import PLATFORMS, WorkerProcess, wait_until

VECTORS = {p: f"{PREFIX}.vectors.{p}" for p in PLATFORMS}
EVENTS = 30
"""More than the states forget, fewer than the window: the states are exact after a rebuild."""
PATIENCE_S = 90
USERS = ("ann", "bob", "eve")
Sent = tuple[str, str, dict[str, object]]
"""Topic, key, event."""


@dataclass
class Told:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def bundle_command(line: Line, *arguments: str) -> Told:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["bundle", "--config", str(line.worker.config), *arguments])
    return Told(code, out.getvalue(), err.getvalue())


def send_events(line: Line, first: int, count: int) -> list[Sent]:
    """Each user's next clicks; what was sent."""
    start = time.time_ns() // 1_000_000 - 3_600_000
    sent: list[Sent] = []
    for number in range(first, first + count):
        for user in USERS:
            event: dict[str, object] = {"item_id": f"video-{number}", "time": start + 1000 * number}
            line.send("video.click", user, event)
            sent.append((f"{PREFIX}.video.click", user, event))
    return sent


def until_bundle(line: Line, bundle: str, events: int) -> None:
    """Everybody's last vector is of a bundle, with so many events behind it."""
    for target in ("video", "news"):
        for user in USERS:
            look = line.broker.update(VECTORS[target], user, events)
            line.broker.until(
                lambda look=look: (found := look()) and found.bundle == bundle,  # type: ignore[misc]
                f"{target}'s vector of {user}, by {bundle}, with {events} events",
                PATIENCE_S,
            )


def check_vectors(line: Line, folder: Path, sent: list[Sent]) -> None:
    """What is out equals one pass over all events under the bundle."""
    settings = load_settings(str(line.worker.config), {})
    service = settings.service.model_copy(update={"bundle": folder})
    states = sequential_states(settings.model_copy(update={"service": service}), sent)
    wanted = vectors_of_states(folder, states)
    platforms = Bundle.load(folder).contract.platforms
    for target in ("video", "news"):
        for user in USERS:
            update = line.broker.update(
                VECTORS[target], user, int(sum(states[f"u/{user}"].events))
            )()
            assert update is not None
            right = wanted[f"u/{user}"][platforms.index(target)]
            assert np.abs(update.vector - right).max() < 0.02, (target, user)


def announce_damaged(line: Line, folder: Path) -> str:
    """Announce past the command's own check."""
    bundle = Bundle.load(folder).bundle_id
    checksum = manifest_checksum(folder)
    graph = folder / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    producer = Producer({"bootstrap.servers": line.bootstrap})
    value = encode(Announcement(bundle, str(folder), checksum))
    producer.produce(f"{PREFIX}.bundles", value, bundle, partition=PARTITION)
    assert producer.flush(30) == 0
    return bundle


def until_tried(line: Line, bundle: str) -> None:
    tried = f'interest_bundle_info{{bundle="{bundle}",role="shadow"}}'
    wait_until(lambda: line.worker.metric(tried) == 1, PATIENCE_S, "the shadow is there")


def refusals(line: Line) -> float:
    return line.worker.metric("interest_bundle_refusals_total")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for seed in (1, 2):
        make_tiny_bundle(folder / str(seed), seed=seed)
    return folder


def test_announced_refused_and_rolled_back(start_line: StartLine, others: Path) -> None:
    sections = {
        "bundles": {"rebuild_users_s": 1000},
        "window": {"events": 64},
        "quality": {"sample_rate": 1.0},
    }
    with start_line(list(VECTORS.values()), sections) as line:
        old, new = Bundle.load(line.bundle).bundle_id, Bundle.load(others / "1").bundle_id
        sent = send_events(line, 0, EVENTS)
        until_bundle(line, old, EVENTS)

        # Announced: also who does nothing gets vectors of it.
        told = bundle_command(line, "announce", str(line.bundle))
        assert told.returncode == 0, told.stderr
        told = bundle_command(line, "announce", str(others / "1"))
        assert told.returncode == 0, told.stderr
        until_bundle(line, new, EVENTS)
        check_vectors(line, others / "1", sent)
        sent += send_events(line, EVENTS, 2)
        until_bundle(line, new, EVENTS + 2)
        check_vectors(line, others / "1", sent)
        assert line.worker.metric("interest_bundle_swaps_total") == 1

        # A shadow is compared, and nothing of it comes out.
        told = bundle_command(line, "announce", "--shadow", str(others / "2"))
        assert told.returncode == 0, told.stderr
        third = Bundle.load(others / "2").bundle_id
        shadow = f'interest_live_cases_total{{bundle="{third}",platform="video",ranker="shadow"}}'
        until_tried(line, third)
        sent += send_events(line, EVENTS + 2, 1)
        until_bundle(line, new, EVENTS + 3)
        wait_until(lambda: line.worker.metric(shadow) >= 1, PATIENCE_S, "the shadow is judged")
        assert line.worker.metric("interest_live_cases_total") > 3
        assert f"shadow     {third}" in bundle_command(line, "status").stdout

        # Damaged: refused with the reason, and the old one goes on.
        shutil.copytree(others / "2", others / "damaged", dirs_exist_ok=True)
        bad = announce_damaged(line, others / "damaged")
        wait_until(lambda: refusals(line) == 1, PATIENCE_S, "the damaged bundle is refused")
        wait_until(lambda: "REFUSES" in bundle_command(line, "status").stdout, PATIENCE_S, "said")
        status = bundle_command(line, "status")
        assert status.returncode == 1
        assert f"{new}  REFUSES {bad}: " in status.stdout
        assert "step.onnx is damaged" in status.stdout
        assert bundle_command(line, "announce", str(others / "damaged")).returncode == 1
        assert bundle_command(line, "retire", bad).returncode == 0
        sent += send_events(line, EVENTS + 3, 1)
        until_bundle(line, new, EVENTS + 4)

        # Back to the one before, and a worker that starts anew begins with it.
        told = bundle_command(line, "rollback")
        assert (told.returncode, told.stdout.split()[1]) == (0, old), told.stderr
        until_bundle(line, old, EVENTS + 4)
        check_vectors(line, line.bundle, sent)
        told = bundle_command(line, "announce", str(others / "2"))
        until_bundle(line, third, EVENTS + 4)
        assert line.worker.terminate() == 0
        again = WorkerProcess(line.worker.config, line.worker.port)
        with again:
            again.wait_ready()
            assert again.get("/health/ready")["bundle"] == third
            send_events(line, EVENTS + 4, 1)
            until_bundle(line, third, EVENTS + 5)
            assert json.dumps(again.get("/users/ann")).count("rebuild_pending") == 1
