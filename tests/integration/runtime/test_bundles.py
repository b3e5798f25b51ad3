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
from tests.integration.runtime.conftest import PREFIX, Service, StartService
from tests.workers import PLATFORMS, WorkerProcess, wait_until

VECTORS = {p: f"{PREFIX}.vectors.{p}" for p in PLATFORMS}
EVENTS = 30
"""More than the states forget, fewer than the window: the states are exact after a rebuild."""
PATIENCE_S = 90
USERS = ("ann", "bob", "eve")
Sent = tuple[str, str, dict[str, object]]
"""Topic, key, event."""


@dataclass
class CommandResult:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def bundle_command(service: Service, *arguments: str) -> CommandResult:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["bundle", "--config", str(service.worker.config), *arguments])
    return CommandResult(code, out.getvalue(), err.getvalue())


def send_events(service: Service, first: int, count: int) -> list[Sent]:
    """Each user's next clicks; what was sent."""
    start = time.time_ns() // 1_000_000 - 3_600_000
    sent: list[Sent] = []
    for number in range(first, first + count):
        for user in USERS:
            event: dict[str, object] = {"item_id": f"video-{number}", "time": start + 1000 * number}
            service.send("video.click", user, event)
            sent.append((f"{PREFIX}.video.click", user, event))
    return sent


def until_bundle(service: Service, bundle: str, events: int) -> None:
    """Everybody's last vector is of a bundle, with so many events behind it."""
    for target in ("video", "news"):
        for user in USERS:
            look = service.broker.update(VECTORS[target], user, events)
            service.broker.until(
                lambda look=look: (found := look()) and found.bundle == bundle,  # type: ignore[misc]
                f"{target}'s vector of {user}, by {bundle}, with {events} events",
                PATIENCE_S,
            )


def check_vectors(service: Service, folder: Path, sent: list[Sent]) -> None:
    """What is out equals one pass over all events under the bundle."""
    settings = load_settings(str(service.worker.config), {})
    section = settings.service.model_copy(update={"bundle": folder})
    states = sequential_states(settings.model_copy(update={"service": section}), sent)
    wanted = vectors_of_states(folder, states)
    platforms = Bundle.load(folder).contract.platforms
    for target in ("video", "news"):
        for user in USERS:
            update = service.broker.update(
                VECTORS[target], user, int(sum(states[f"u/{user}"].events))
            )()
            assert update is not None
            right = wanted[f"u/{user}"][platforms.index(target)]
            assert np.abs(update.vector - right).max() < 0.02, (target, user)


def announce_damaged(service: Service, folder: Path) -> str:
    """Announce past the command's own check."""
    bundle = Bundle.load(folder).bundle_id
    checksum = manifest_checksum(folder)
    graph = folder / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    producer = Producer({"bootstrap.servers": service.bootstrap})
    value = encode(Announcement(bundle, str(folder), checksum))
    producer.produce(f"{PREFIX}.bundles", value, bundle, partition=PARTITION)
    assert producer.flush(30) == 0
    return bundle


def until_tried(service: Service, bundle: str) -> None:
    tried = f'interest_bundle_info{{bundle="{bundle}",role="shadow"}}'
    wait_until(lambda: service.worker.metric(tried) == 1, PATIENCE_S, "the shadow is there")


def refusals(service: Service) -> float:
    return service.worker.metric("interest_bundle_refusals_total")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for seed in (1, 2):
        make_tiny_bundle(folder / str(seed), seed=seed)
    return folder


def announced(service: Service, *arguments: str) -> None:
    command = bundle_command(service, "announce", *arguments)
    assert command.returncode == 0, command.stderr


def announced_reaches_everybody(service: Service, folder: Path, sent: list[Sent]) -> None:
    """Announced: also who does nothing gets vectors of it."""
    new = Bundle.load(folder).bundle_id
    announced(service, str(service.bundle))
    announced(service, str(folder))
    until_bundle(service, new, EVENTS)
    check_vectors(service, folder, sent)
    sent += send_events(service, EVENTS, 2)
    until_bundle(service, new, EVENTS + 2)
    check_vectors(service, folder, sent)
    assert service.worker.metric("interest_bundle_swaps_total") == 1


def shadow_is_compared(service: Service, folder: Path, active: str, sent: list[Sent]) -> None:
    """A shadow is compared, and nothing of it comes out."""
    announced(service, "--shadow", str(folder))
    third = Bundle.load(folder).bundle_id
    shadow = f'interest_live_cases_total{{bundle="{third}",platform="video",ranker="shadow"}}'
    until_tried(service, third)
    sent += send_events(service, EVENTS + 2, 1)
    until_bundle(service, active, EVENTS + 3)
    wait_until(lambda: service.worker.metric(shadow) >= 1, PATIENCE_S, "the shadow is judged")
    assert service.worker.metric("interest_live_cases_total") > 3
    assert f"shadow     {third}" in bundle_command(service, "status").stdout


def damaged_is_refused(service: Service, folder: Path, active: str, sent: list[Sent]) -> None:
    """Damaged: refused with the reason, and the old one goes on."""
    bad = announce_damaged(service, folder)
    wait_until(lambda: refusals(service) == 1, PATIENCE_S, "the damaged bundle is refused")
    wait_until(lambda: "REFUSES" in bundle_command(service, "status").stdout, PATIENCE_S, "said")
    status = bundle_command(service, "status")
    assert status.returncode == 1
    assert f"{active}  REFUSES {bad}: " in status.stdout
    assert "step.onnx is damaged" in status.stdout
    assert bundle_command(service, "announce", str(folder)).returncode == 1
    assert bundle_command(service, "retire", bad).returncode == 0
    sent += send_events(service, EVENTS + 3, 1)
    until_bundle(service, active, EVENTS + 4)


def test_announced_refused_and_rolled_back(start_service: StartService, others: Path) -> None:
    sections = {
        "bundles": {"rebuild_users_s": 1000},
        "window": {"events": 64},
        "quality": {"sample_rate": 1.0},
    }
    with start_service(list(VECTORS.values()), sections) as service:
        old, new, third = (
            Bundle.load(folder).bundle_id for folder in (service.bundle, others / "1", others / "2")
        )
        sent = send_events(service, 0, EVENTS)
        until_bundle(service, old, EVENTS)
        announced_reaches_everybody(service, others / "1", sent)
        shadow_is_compared(service, others / "2", new, sent)
        shutil.copytree(others / "2", others / "damaged", dirs_exist_ok=True)
        damaged_is_refused(service, others / "damaged", new, sent)

        # Back to the one before, and a worker that starts anew begins with it.
        command = bundle_command(service, "rollback")
        assert (command.returncode, command.stdout.split()[1]) == (0, old), command.stderr
        until_bundle(service, old, EVENTS + 4)
        check_vectors(service, service.bundle, sent)
        announced(service, str(others / "2"))
        until_bundle(service, third, EVENTS + 4)
        assert service.worker.terminate() == 0
        with WorkerProcess(service.worker.config, service.worker.port) as restarted:
            restarted.wait_ready()
            assert restarted.get("/health/ready")["bundle"] == third
            send_events(service, EVENTS + 4, 1)
            until_bundle(service, third, EVENTS + 5)
            assert json.dumps(restarted.get("/users/ann")).count("rebuild_pending") == 1
