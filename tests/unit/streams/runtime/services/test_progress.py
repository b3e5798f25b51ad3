"""Is it behind, is it stuck, is it ready: from offsets that a fake consumer tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from streams.metrics.metrics import Metrics
from streams.runtime.services.progress import Progress
from streams.runtime.services.watchdog import Rule, Watched

LOG, CLICKS, STATES = TP("interest.events", 0), TP("shop.click", 1), TP("states", 0)


@dataclass
class Offsets:
    """What the consumer knows: [processed, end] of each assigned partition."""

    known: dict[TP, list[int | None]] = field(default_factory=dict)
    committed: dict[TP, int] = field(default_factory=dict)
    finished: dict[TP, int] = field(default_factory=dict)
    ends: dict[TP, int] = field(default_factory=dict)
    reading: bool = True

    def assignment(self) -> set[TP]:
        return set(self.known)

    def next_offset(self, tp: TP) -> int | None:
        return self.known[tp][0]

    def highwater(self, tp: TP) -> int | None:
        return self.known[tp][1]

    def finished_offset(self, tp: TP) -> int | None:
        return self.finished.get(tp)

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        if not self.ends:
            raise KafkaError("no broker")
        return {tp: self.ends.get(tp, 0) for tp in tps}

    def committed_offset(self, tp: TP) -> int | None:
        return self.committed.get(tp)


class FakeApp(SimpleNamespace):
    """The parts of the app that progress looks at."""

    def __init__(self) -> None:
        super().__init__(
            metrics=Metrics(process=False),
            batch_consumer=Offsets(),
            tables=SimpleNamespace(
                changelog_topics={"states"},
                actives_ready=True,
                recovery=SimpleNamespace(
                    active_remaining_total=lambda: self.remaining,
                    _recovery_started_at=None,
                ),
            ),
            users=SimpleNamespace(recovered=0),
            letters=SimpleNamespace(looked_at=0),
            remaining=0,
            rebalancing=False,
            in_recovery=False,
            failure=None,
            consumer_generation_id=3,
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
    app.batch_consumer.known = {LOG: [10, 25], CLICKS: [7, 7], STATES: [0, 99]}
    app.batch_consumer.committed = {LOG: 8}
    progress._look_at_offsets(100.0)
    assert sample(app, "interest_lag_records", LOG) == 15
    assert sample(app, "interest_lag_records", CLICKS) == 0
    assert sample(app, "interest_processed_offset", LOG) == 10
    assert sample(app, "interest_committed_offset", LOG) == 8
    assert sample(app, "interest_committed_offset", CLICKS) is None
    assert sample(app, "interest_lag_records", STATES) is None


async def test_assigned_partitions_are_counted_by_topic(app: FakeApp, progress: Progress) -> None:
    app.batch_consumer.known = {LOG: [0, 0], TP("interest.events", 3): [None, None], STATES: [0, 0]}
    progress._look_at_offsets(1.0)
    assigned = app.metrics.registry.get_sample_value
    name = "interest_partitions_assigned"
    assert assigned(name, {"topic": "interest.events"}) == 2
    assert assigned(name, {"topic": "shop.click"}) == 0


async def test_waiting_time_grows_until_the_records_are_processed(
    app: FakeApp, progress: Progress
) -> None:
    app.batch_consumer.known = {LOG: [10, 20]}
    progress._look_at_offsets(100.0)
    progress._look_at_offsets(130.0)
    assert sample(app, "interest_lag_seconds", LOG) == 30
    app.batch_consumer.known = {LOG: [20, 20]}
    progress._look_at_offsets(131.0)
    assert sample(app, "interest_lag_seconds", LOG) == 0


async def test_it_stalls_only_where_records_wait_and_nothing_advances(
    app: FakeApp, progress: Progress
) -> None:
    app.batch_consumer.known = {LOG: [10, 20], CLICKS: [5, 5]}
    progress._look_at_offsets(100.0)
    assert progress.last_progress == 100.0  # the first sight counts as progress
    progress._look_at_offsets(150.0)
    assert progress.last_progress == 100.0
    app.batch_consumer.known[CLICKS] = [6, 9]
    progress._look_at_offsets(160.0)
    assert progress.last_progress == 160.0
    progress._look_at_offsets(170.0)
    assert progress.last_progress == 160.0
    app.batch_consumer.known = {LOG: [20, 20], CLICKS: [9, 9]}
    progress._look_at_offsets(180.0)
    progress._look_at_offsets(300.0)  # nothing waits: silence is no stall
    assert progress.last_progress == 300.0


async def test_a_partition_without_a_position_is_not_waiting(
    app: FakeApp, progress: Progress
) -> None:
    app.batch_consumer.known = {LOG: [None, 20]}
    progress._look_at_offsets(100.0)
    progress._look_at_offsets(200.0)
    assert progress.last_progress == 200.0


async def test_a_revoked_partitions_series_go(app: FakeApp, progress: Progress) -> None:
    app.batch_consumer.known = {LOG: [10, 25], CLICKS: [0, 3]}
    app.batch_consumer.committed = {LOG: 10}
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
    app.batch_consumer.reading = False
    assert not progress.ready
    app.batch_consumer.reading = True
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


# -- what should move


def rules(watched: list[Watched]) -> list[tuple[Rule, str]]:
    """In the order of their names: partitions are watched in no order."""
    return sorted((thing.rule, thing.what) for thing in watched)


async def test_what_isnt_fetched_is_behind_too(app: FakeApp, progress: Any) -> None:
    """A fetch tells the end of its partition; of others the broker is asked."""
    app.batch_consumer.known = {LOG: [10, 10], CLICKS: [0, None], STATES: [0, 5]}
    await progress.ask_for_ends()  # no broker: nothing is known
    assert progress.movable() == []
    app.batch_consumer.ends = {LOG: 25, CLICKS: 4, STATES: 9}
    await progress.ask_for_ends()
    progress._look_at_offsets(1.0)
    assert sample(app, "interest_lag_records", LOG) == 15
    assert sample(app, "interest_lag_records", CLICKS) == 4
    assert rules(progress.movable()) == [
        (Rule.PROGRESS, "interest.events/0"),
        (Rule.PROGRESS, "shop.click/1"),
    ]
    progress.forget({LOG})
    del app.batch_consumer.known[LOG]
    assert rules(progress.movable()) == [(Rule.PROGRESS, "shop.click/1")]


async def test_a_partition_without_a_position_should_get_one(
    app: FakeApp, progress: Progress
) -> None:
    app.batch_consumer.known = {LOG: [None, 20]}
    assert rules(progress.movable()) == [(Rule.PROGRESS, "interest.events/0")]


async def test_what_waits_for_dead_letters_moves_while_they_are_read(
    app: FakeApp, progress: Progress
) -> None:
    app.batch_consumer.known = {LOG: [10, 20]}
    (before,) = progress.movable()
    assert progress.movable() == [before]
    app.letters.looked_at = 500
    (after,) = progress.movable()
    assert after.value != before.value
    progress.last_progress = 0.0
    progress._look_at_offsets(1.0)
    progress._look_at_offsets(2.0)
    assert progress.last_progress == 1.0  # the second look saw nothing move
    app.letters.looked_at = 900
    progress._look_at_offsets(3.0)
    assert progress.last_progress == 3.0


async def test_what_is_finished_should_be_committed(app: FakeApp, progress: Progress) -> None:
    app.batch_consumer.known = {LOG: [10, 10], CLICKS: [5, 5]}
    app.batch_consumer.finished = {LOG: 10, CLICKS: 5}
    app.batch_consumer.committed = {CLICKS: 5}
    (thing,) = progress.movable()
    assert (thing.rule, thing.what, thing.value) == (Rule.COMMIT, "interest.events/0", None)
    app.batch_consumer.committed[LOG] = 9
    assert [thing.value for thing in progress.movable()] == [9]
    app.batch_consumer.committed[LOG] = 10
    assert progress.movable() == []


async def test_a_recovery_should_move(app: FakeApp, progress: Progress) -> None:
    app.batch_consumer.known = {LOG: [1, 9]}
    app.rebalancing = True
    (before,) = progress.movable()
    assert before.rule is Rule.RECOVERY
    assert progress.movable() == [before]
    app.users.recovered = 70
    progress._look_at_recovery()
    (after,) = progress.movable()
    assert after.value != before.value
    app.consumer_generation_id += 1
    assert progress.movable() != [after]
