"""Is it behind, is it stuck: offsets, lag and readiness, once a second."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, cast

from faust import Service
from faust.tables.manager import TableManager
from faust.types import TP

from streams.output.lag import WaitingTime
from streams.runtime.transport import SERVICE_LOG, BatchConsumer

if TYPE_CHECKING:
    from streams.runtime.app import InterestApp

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
STUCK_S: Final = 60.0
"""No offset has advanced for so long though records wait: the worker isn't alive."""


class Progress(Service):
    """Watches the offsets of the assigned partitions.

    Attributes:
        last_progress: monotonic time at which an offset last advanced, the recovery read
            something, or nothing waited.
    """

    logger = SERVICE_LOG

    def __init__(self, app: InterestApp, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._app = app
        self._processed: dict[TP, int] = {}
        self._waiting: dict[TP, WaitingTime] = {}
        self.last_progress = time.monotonic()
        self._was_ready = False

    @property
    def ready(self) -> bool:
        """Recovered, with partitions, and reading."""
        app = self._app
        recovered = app.tables.actives_ready and not app.rebalancing and not app.in_recovery
        return bool(recovered and app.failure is None)

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
            self._app.metrics.forget_partition(tp.topic, tp.partition)

    @Service.timer(INTERVAL_S)
    async def _look(self) -> None:
        app = self._app
        metrics = app.metrics
        metrics.ready.set(self.ready)
        self._announce()
        metrics.users.set(len(app.updater.slab))
        metrics.state_bytes.set(app.store().size_bytes() if self.ready else 0)
        metrics.recovery_in_progress.set(bool(app.in_recovery))
        self._look_at_recovery()
        if self.ready:
            self._look_at_offsets(time.monotonic())

    def _announce(self) -> None:
        """Say once when the worker becomes ready, and when it no longer is."""
        self._say(ready=self.ready)

    def _say(self, *, ready: bool) -> None:
        if ready == self._was_ready:
            return
        self._was_ready = ready
        if not ready:
            log.info("not ready: partitions are being shared out again")
            return
        topic = self._app.settings.events.topic
        mine = sorted(tp.partition for tp in self._app.consumer.assignment() if tp.topic == topic)
        log.info("ready: partitions %s of %s", ", ".join(map(str, mine)) or "none", topic)

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
        app.users.recovered = 0

    def _advance(self, now: float) -> None:
        self.last_progress = now
        self._app.metrics.last_progress.set_to_current_time()

    def _look_at_offsets(self, now: float) -> None:
        consumer = cast(BatchConsumer, self._app.consumer)
        changelogs = self._app.tables.changelog_topics
        waiting, advanced = False, False
        counts = dict.fromkeys(self._app.source_topics(), 0)
        for tp in consumer.assignment():
            if tp.topic in changelogs:
                continue
            counts[tp.topic] += 1
            end = consumer.highwater(tp) or 0
            done = consumer.next_offset(tp)
            if done is None:
                continue
            advanced |= done > self._processed.get(tp, -1)
            self._processed[tp] = done
            self._show(tp, done, end, now)
            waiting |= done < end
        for topic, count in counts.items():
            self._app.metrics.partitions_assigned.labels(topic).set(count)
        if advanced or not waiting:
            self._advance(now)

    def _show(self, tp: TP, done: int, end: int, now: float) -> None:
        labels = (tp.topic, str(tp.partition))
        metrics = self._app.metrics
        waiting = self._waiting.setdefault(tp, WaitingTime())
        metrics.lag_records.labels(*labels).set(max(0, end - done))
        metrics.lag_seconds.labels(*labels).set(waiting.observe(now, done, end))
        metrics.processed_offset.labels(*labels).set(done)
        committed = cast(BatchConsumer, self._app.consumer).committed_offset(tp)
        if committed is not None:
            metrics.committed_offset.labels(*labels).set(committed)
