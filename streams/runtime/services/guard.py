"""Looks each second whether everything moves, and ends the worker where something doesn't.

In the event loop it looks at what the loop knows: offsets, commits, the recovery. In a thread of
its own it looks at the loop, and at the ONNX call that the loop may be in. The rules are in
:mod:`streams.runtime.services.watchdog`.

A thread needs Python's global lock, so native code that hangs and holds it isn't found here; ONNX
Runtime lets go of it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from typing import Final

from mode import Service

from streams.errors import StuckError
from streams.runtime.running_app import RunningApp
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.services.progress import Progress
from streams.runtime.services.watchdog import Rule, Verdict, Watchdog, Watched, limits_of
from streams.runtime.services.watchdog_exits import Exits

log = logging.getLogger(__name__)

STUCK: Final = 4
"""Exit code of a worker that ended itself because something stood still."""
INTERVAL_S: Final = 1.0
WRITING_S: Final = 5.0
"""Longest time for saying why; what is stuck may be what the log is written to."""
INSIDE: Final = (Rule.PROGRESS, Rule.COMMIT, Rule.RECOVERY)
OUTSIDE: Final = (Rule.ONNX, Rule.LOOP)


class Guard(Service):
    """Watches a worker.

    Args:
        app: the worker's app.
        progress: knows what moves in it.
    """

    logger = SERVICE_LOG

    def __init__(self, app: RunningApp, progress: Progress) -> None:
        super().__init__()
        self._app = app
        self._progress = progress
        limits = limits_of(app.settings.watchdog)
        self._inside, self._outside = Watchdog(limits), Watchdog(limits)
        self._exits = Exits(app.settings.service.state_dir / "watchdog.json")
        self._beats = 0
        self._over = threading.Event()
        app.metrics.watch({rule.value: limit for rule, limit in limits.items()})
        for rule, count in self._exits.counts().items():
            app.metrics.watchdog_exits.labels(rule.value).inc(count)

    async def on_start(self) -> None:
        """Begin to look from outside, too."""
        threading.Thread(target=self._watch_the_loop, name="watchdog", daemon=True).start()

    async def on_stop(self) -> None:
        """A stop has a limit of its own (``service.stop_timeout_s``)."""
        self._over.set()

    @Service.timer(INTERVAL_S)
    async def _look(self) -> None:
        self._beats += 1
        if self._app.failure is not None:
            return
        verdict = self._inside.look(time.monotonic(), self._progress.movable())
        self._show(self._inside, INSIDE)
        if verdict is not None:
            self._exits.add(verdict.watched.rule)
            await self._app.fail(StuckError(str(verdict)))

    def _watch_the_loop(self) -> None:
        while not self._over.wait(INTERVAL_S):
            verdict = self._outside.look(time.monotonic(), self._of_the_loop())
            self._show(self._outside, OUTSIDE)
            if verdict is not None:
                self._end(verdict)

    def _of_the_loop(self) -> list[Watched]:
        engine = self._app.engine
        in_call = engine.calls != engine.returned
        call = [Watched(Rule.ONNX, engine.calls)] if in_call else []
        return [*call, Watched(Rule.LOOP, self._beats, detail="in ONNX Runtime" * in_call)]

    def _show(self, watchdog: Watchdog, rules: tuple[Rule, ...]) -> None:
        for rule in rules:
            still = self._app.metrics.watchdog_still_seconds.labels(rule.value)
            still.set(watchdog.still_s(rule))

    def _end(self, verdict: Verdict) -> None:
        """End the process from outside its loop, which can't do it."""
        last_resort = threading.Timer(WRITING_S, os._exit, (STUCK,))
        last_resort.daemon = True
        last_resort.start()
        log.error("%s; exiting with code %d; where every thread is:", verdict, STUCK)
        faulthandler.dump_traceback(sys.stderr)
        self._exits.add(verdict.watched.rule)
        logging.shutdown()
        os._exit(STUCK)
