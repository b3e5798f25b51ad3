"""Is it behind, is it stuck: offsets, lag and readiness, once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Final, cast

from aiokafka.errors import KafkaError
from faust import Service
from faust.tables.manager import TableManager
from faust.types import TP

from streams.runtime.running_app import RunningApp
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.services.waiting_time import WaitingTime
from streams.runtime.services.watchdog import Rule, Watched

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
ENDS_S: Final = 5.0
STUCK_S: Final = 60.0
"""No offset has advanced for so long though records wait: the worker isn't alive."""


class Progress(Service):
    """Watches the offsets of the assigned partitions.

    Attributes:
        last_progress: monotonic time at which an offset last advanced, the recovery read
            something, or nothing waited.
    """

    logger = SERVICE_LOG

    def __init__(self, app: RunningApp) -> None:
        super().__init__()
        self._app = app
        self._processed: dict[TP, int] = {}
        self._waiting: dict[TP, WaitingTime] = {}
        self.last_progress = time.monotonic()
        self._was_ready = False
        self._ends: dict[TP, int] = {}
        self._recovered = 0
        self._swept = 0

    @property
    def ready(self) -> bool:
        """Recovered, with partitions, and reading."""
        app = self._app
        recovered = app.tables.actives_ready and not app.rebalancing and not app.in_recovery
        reading = recovered and app.batch_consumer.reading
        return bool(reading and app.failure is None)

    @property
    def stalled_s(self) -> float:
        """For how long records have waited without any offset advancing."""
        return time.monotonic() - self.last_progress

    def forget(self, tps: set[TP]) -> None:
        """These partitions are somebody else's now, or will be shared out again."""
        self._say(ready=False)
        for tp in tps:
            self._processed.pop(tp, None)
            self._waiting.pop(tp, None)
            self._ends.pop(tp, None)
            self._app.metrics.forget_partition(tp.topic, tp.partition)

    @Service.timer(INTERVAL_S)
    async def _look(self) -> None:
        app = self._app
        metrics = app.metrics
        metrics.ready.set(self.ready)
        self._say(ready=self.ready)
        metrics.users.set(len(app.updater.slab))
        metrics.state_bytes.set(app.store().size_bytes() if self.ready else 0)
        metrics.recovery_in_progress.set(bool(app.in_recovery))
        self._look_at_recovery()
        if self.ready:
            self._look_at_offsets(time.monotonic())

    def _say(self, *, ready: bool) -> None:
        """Say once when the worker becomes ready, and when it no longer is."""
        if ready == self._was_ready:
            return
        self._was_ready = ready
        if not ready:
            log.info("not ready: partitions are being shared out again")
            return
        mine = ", ".join(map(str, self._app.own_partitions()))
        log.info("ready: partitions %s of %s", mine or "none", self._app.settings.events.topic)

    def _look_at_recovery(self) -> None:
        app = self._app
        recovery = cast(TableManager, app.tables).recovery
        remaining = recovery.active_remaining_total() if app.in_recovery else 0
        app.metrics.recovery_remaining.set(max(0, remaining))
        started = recovery._recovery_started_at
        ended = getattr(recovery, "_recovery_ended_at", None)
        if started is not None:
            until = ended if ended and ended > started else time.monotonic()
            app.metrics.recovery_seconds.set(until - started)
        if app.users.recovered:  # a long recovery is alive for as long as it reads
            self._advance(time.monotonic())
        app.metrics.recovered_records.inc(app.users.recovered)
        self._recovered += app.users.recovered
        app.users.recovered = 0

    def _advance(self, now: float) -> None:
        self.last_progress = now
        self._app.metrics.last_progress.set_to_current_time()

    def _look_at_offsets(self, now: float) -> None:
        consumer = self._app.batch_consumer
        waiting, advanced = False, False
        counts = dict.fromkeys(self._app.source_topics(), 0)
        for tp in consumer.assignment():
            if not self._is_source(tp):
                continue
            counts[tp.topic] += 1
            end = self._end(tp)
            done = consumer.next_offset(tp)
            if done is None:
                continue
            advanced |= done > self._processed.get(tp, -1)
            self._processed[tp] = done
            self._show(tp, done, end, now)
            waiting |= done < end
        for topic, count in counts.items():
            self._app.metrics.partitions_assigned.labels(topic).set(count)
        swept, self._swept = self._swept, self._app.letters.looked_at
        if advanced or not waiting or swept != self._swept:
            self._advance(now)

    def _end(self, tp: TP) -> int:
        """Offset after the last record, as far as known."""
        highwater = self._app.batch_consumer.highwater(tp) or 0
        return max(highwater, self._ends.get(tp, 0))

    @Service.timer(ENDS_S)
    async def _look_further(self) -> None:
        await self.ask_for_ends()

    async def ask_for_ends(self) -> None:
        """A fetch tells the end of its partition, but what isn't fetched may have records too."""
        if not self.ready:
            return
        consumer = self._app.batch_consumer
        tps = [tp for tp in consumer.assignment() if self._is_source(tp)]
        try:
            ends = await consumer.highwaters(*tps)
        except KafkaError as error:
            log.info("the ends of the partitions aren't known, again in a moment: %r", error)
            return
        still_ours = consumer.assignment()
        self._ends = {tp: end for tp, end in ends.items() if end and tp in still_ours}

    def _is_source(self, tp: TP) -> bool:
        return tp.topic not in self._app.tables.changelog_topics

    def movable(self) -> list[Watched]:
        """Everything here that should move (:mod:`streams.runtime.services.watchdog`)."""
        app = self._app
        if not self.ready:
            return [Watched(Rule.RECOVERY, (app.consumer_generation_id, self._recovered))]
        sources = [tp for tp in app.batch_consumer.assignment() if self._is_source(tp)]
        return [thing for tp in sources for thing in self._movable(tp)]

    def _movable(self, tp: TP) -> Iterator[Watched]:
        consumer = self._app.batch_consumer
        what, end = f"{tp.topic}/{tp.partition}", self._end(tp)
        done, finished = consumer.next_offset(tp), consumer.finished_offset(tp)
        if end > (done or 0):
            value = done, self._app.letters.looked_at  # what waits for them isn't stuck
            yield Watched(Rule.PROGRESS, value, what, f"processed {done}, end {end}")
        committed = consumer.committed_offset(tp)
        if finished is not None and finished > (committed or 0):
            yield Watched(Rule.COMMIT, committed, what, f"processed {done}, committed {committed}")

    def _show(self, tp: TP, done: int, end: int, now: float) -> None:
        labels = (tp.topic, str(tp.partition))
        metrics = self._app.metrics
        waiting = self._waiting.setdefault(tp, WaitingTime())
        metrics.lag_records.labels(*labels).set(max(0, end - done))
        metrics.lag_seconds.labels(*labels).set(waiting.observe(now, done, end))
        metrics.processed_offset.labels(*labels).set(done)
        committed = self._app.batch_consumer.committed_offset(tp)
        if committed is not None:
            metrics.committed_offset.labels(*labels).set(committed)
