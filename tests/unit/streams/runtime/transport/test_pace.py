"""A trickle is fetched at once, a stream in batches, and a busy worker asks less often."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from streams.runtime.transport.pace import BUSY, PACE_S, PLENTY, SLOWEST_S, STEP, Pace
from tests.unit.streams.runtime.transport.fake_fetcher import OWN


def test_a_trickle_is_fetched_at_once_and_a_stream_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace()
    assert pace.left_s() <= 0  # the first fetch
    pace.fetched(3)
    assert pace.left_s() == pytest.approx(PACE_S)  # more comes meanwhile
    now += PACE_S
    assert pace.left_s() <= 0
    pace.fetched(0)
    assert pace.left_s() <= 0  # it waits at the broker's for the next record
    pace.fetched(PLENTY)
    assert pace.left_s() <= 0  # a backlog


@pytest.mark.parametrize(
    ("event_us", "batch_ms", "rate", "slowest"),
    [(20, 2.0, 2_000, PACE_S), (20, 5.0, 20_000, SLOWEST_S), (45, 1.0, 20_000, SLOWEST_S)],
)
def test_a_busy_worker_asks_less_often_until_it_has_room(
    event_us: float, batch_ms: float, rate: int, slowest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose batches cost so much each, and for each event; what it takes of its core."""
    now, cpu = 100.0, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "process_time", lambda: cpu)
    pace, began, spent, longest = Pace(), 0.0, 0.0, 0.0
    for number in range(200):
        if number == 100:
            began, spent = now, cpu
        took = max(pace.left_s(), PACE_S)
        longest = max(longest, took)
        now += took
        records = int(rate * took)
        cpu += batch_ms / 1e3 + records * event_us / 1e6
        pace.fetched(records)
    busy = (cpu - spent) / (now - began)
    assert longest <= slowest * 1.001
    assert busy <= BUSY * STEP or longest == pytest.approx(SLOWEST_S)
    pace.fetched(0)  # a silence: whoever comes next is served at once
    pace.fetched(1)
    assert pace.left_s() <= PACE_S * STEP


def test_requests_for_records_are_held_and_those_for_positions_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = 100.0, ([("node", "request")], {"node": [OWN]}, 0.2, False, ["resumed"])
    monkeypatch.setattr(time, "monotonic", lambda: now)
    fetcher, pace = SimpleNamespace(_get_actions_per_node=lambda assignment: asked), Pace()
    pace.hold(fetcher)
    assert fetcher._get_actions_per_node("assignment") == asked
    pace.fetched(3)
    requests, resets, timeout_s, *rest = fetcher._get_actions_per_node("assignment")
    assert (requests, resets, rest) == ([], {"node": [OWN]}, [False, ["resumed"]])
    assert timeout_s == pytest.approx(PACE_S)  # the fetcher looks again then
    now += PACE_S
    assert fetcher._get_actions_per_node("assignment") == asked
