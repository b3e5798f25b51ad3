"""What the vector topics have at last, against what the states call for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streams.settings import Settings
from streams.subscribe.schema import decode
from tests.chaos.verdict.judge import Published, Verdict, expected_vectors
from tests.e2e.reference import State, read_topic, vectors_of_states
from tests.workers import PLATFORMS


def check_vectors(
    settings: Settings,
    bundle: Path,
    boot: str,
    expected: Mapping[str, State],
    local_ids: Mapping[str, str],
) -> None:
    """Every id that must have a vector has that of its final state, and no other id has one.

    Args:
        expected: final states by user key.
        local_ids: what linked platforms call a linked user, by user id.
    """
    found = {
        (target, key.decode()): Published.of(decode(record.value, record.headers))
        for target in PLATFORMS
        for key, record in read_topic(boot, settings.output_topic(target)).items()
    }
    interests = vectors_of_states(bundle, dict(expected))
    verdict = Verdict()
    verdict.compare_vectors(found, expected_vectors(expected, interests, PLATFORMS, local_ids))
    assert verdict.good, verdict
