"""Is it behind, is it stuck, is it ready: from offsets that a fake consumer tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streams.output.metrics import Metrics
from streams.runtime.progress import Progress

LOG, CLICKS, STATES = TP("interest.events", 0), TP("shop.click", 1), TP("states", 0)


@dataclass
class Offsets:
    """What the consumer knows: [processed, end] of each assigned partition."""

    known: dict[TP, list[int | None]] = field(default_factory=dict)
    committed: dict[TP, int] = field(default_factory=dict)

    def assignment(self) -> set[TP]:
        return set(self.known)

    def next_offset(self, tp: TP) -> int | None:
        return self.known[tp][0]

    def highwater(self, tp: TP) -> int | None:
        return self.known[tp][1]

    def committed_offset(self, tp: TP) -> int | None:
        return self.committed.get(tp)


class FakeApp(SimpleNamespace):
    """The parts of the app that progress looks at."""

    def __init__(self) -> None:
        super().__init__(
            metrics=Metrics(process=False),
            consumer=Offsets(),
            tables=SimpleNamespace(
                changelog_topics={"states"},
                actives_ready=True,
                recovery=SimpleNamespace(
                    active_remaining_total=lambda: self.remaining,
                    _recovery_started_at=None,
                ),
            ),
            users=SimpleNamespace(recovered=0),
            remaining=0,
            rebalancing=False,
            in_recovery=False,
            failure=None,
            source_topics=lambda: ["interest.events", "shop.click"],
        )


@pytest.fixture
def app() -> FakeApp:
    return FakeApp()


@pytest.fixture
async def progress(app: FakeApp) -> Progress:
    return Progress(cast(Any, app))


def sample(app: FakeApp, name: str, tp: TP) -> float | None:
    labels = {"topic": tp.topic, "partition": str(tp.partition)}
    value: float | None = app.metrics.registry.get_sample_value(name, labels)
    return value


async def test_lag_and_offsets_of_every_source_partition(app: FakeApp, progress: Progress) -> None:
    app.consumer.known = {LOG: [10, 25], CLICKS: [7, 7], STATES: [0, 99]}
    app.consumer.committed = {LOG: 8}
    progress._look_at_offsets(100.0)
    assert sample(app, "interest_lag_records", LOG) == 15
    assert sample(app, "interest_lag_records", CLICKS) == 0
    assert sample(app, "interest_processed_offset", LOG) == 10
    assert sample(app, "interest_committed_offset", LOG) == 8
    assert sample(app, "interest_committed_offset", CLICKS) is None
    assert sample(app, "interest_lag_records", STATES) is None


async def test_assigned_partitions_are_counted_by_topic(app: FakeApp, progress: Progress) -> None:
    app.consumer.known = {LOG: [0, 0], TP("interest.events", 3): [None, None], STATES: [0, 0]}
    progress._look_at_offsets(1.0)
    assigned = app.metrics.registry.get_sample_value
    name = "interest_partitions_assigned"
    assert assigned(name, {"topic": "interest.events"}) == 2
    assert assigned(name, {"topic": "shop.click"}) == 0


async def test_waiting_time_grows_until_the_records_are_processed(
    app: FakeApp, progress: Progress
) -> None:
    app.consumer.known = {LOG: [10, 20]}
    progress._look_at_offsets(100.0)
    progress._look_at_offsets(130.0)
    assert sample(app, "interest_lag_seconds", LOG) == 30
    app.consumer.known = {LOG: [20, 20]}
    progress._look_at_offsets(131.0)
    assert sample(app, "interest_lag_seconds", LOG) == 0


async def test_it_stalls_only_where_records_wait_and_nothing_advances(
    app: FakeApp, progress: Progress
) -> None:
    app.consumer.known = {LOG: [10, 20], CLICKS: [5, 5]}
    progress._look_at_offsets(100.0)
    assert progress.last_progress == 100.0  # the first sight counts as progress
    progress._look_at_offsets(150.0)
    assert progress.last_progress == 100.0
    app.consumer.known[CLICKS] = [6, 9]
    progress._look_at_offsets(160.0)
    assert progress.last_progress == 160.0
    progress._look_at_offsets(170.0)
    assert progress.last_progress == 160.0
    app.consumer.known = {LOG: [20, 20], CLICKS: [9, 9]}
    progress._look_at_offsets(180.0)
    progress._look_at_offsets(300.0)  # nothing waits: silence is no stall
    assert progress.last_progress == 300.0


async def test_a_partition_without_a_position_is_not_waiting(
    app: FakeApp, progress: Progress
) -> None:
    app.consumer.known = {LOG: [None, 20]}
    progress._look_at_offsets(100.0)
    progress._look_at_offsets(200.0)
    assert progress.last_progress == 200.0


async def test_a_revoked_partitions_series_go(app: FakeApp, progress: Progress) -> None:
    app.consumer.known = {LOG: [10, 25], CLICKS: [0, 3]}
    app.consumer.committed = {LOG: 10}
    progress._look_at_offsets(1.0)
    progress.forget({LOG})
    names = ("lag_records", "lag_seconds", "processed_offset", "committed_offset")
    assert [sample(app, f"interest_{name}", LOG) for name in names] == [None] * 4
    assert sample(app, "interest_lag_records", CLICKS) == 3
    progress.forget({TP("never", 0)})


async def test_ready_only_when_recovered_assigned_and_whole(app: FakeApp, progress: Any) -> None:
    assert progress.ready
    for name, value in (("rebalancing", True), ("in_recovery", True), ("failure", OSError())):
        before = getattr(app, name)
        setattr(app, name, value)
        assert not progress.ready
        setattr(app, name, before)
    app.tables.actives_ready = False
    assert not progress.ready


async def test_a_recovery_of_any_length_is_alive_while_it_reads(
    app: FakeApp, progress: Progress
) -> None:
    app.in_recovery, app.remaining = True, 500
    began = progress.last_progress = progress.last_progress - 1_000
    progress._look_at_recovery()
    assert progress.last_progress == began
    app.users.recovered = 70
    progress._look_at_recovery()
    assert progress.stalled_s < 100
    value = app.metrics.registry.get_sample_value
    assert value("interest_recovery_remaining_records") == 500
    assert value("interest_recovered_records_total") == 70
    assert app.users.recovered == 0
