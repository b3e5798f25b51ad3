"""The worker's life: check, then run until a signal."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
from typing import Any, Final

from streams.errors import StuckError
from streams.runtime.app import InterestApp, create_app
from streams.runtime.checks import TopicReport, check_topics
from streams.runtime.event_loop import Loop, LoopPolicy
from streams.runtime.options import client_options
from streams.runtime.services.guard import STUCK
from streams.runtime.services.memory import limit_arenas
from streams.runtime.table.rocksdb_options import allow_files
from streams.runtime.web.access import LOCKED
from streams.settings import Settings
from streams.settings.logs import configure_logging

log = logging.getLogger(__name__)

FAILED: Final = 1
LATE_STOP: Final = 3
GC_THRESHOLD: Final = 50_000
"""Objects that may come into being between two runs of the garbage collector."""
FAILED_STOP_S: Final = 5.0
"""Longest stop after a failure: leaving the group is worth a moment, no more."""


def run(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT.

    Returns:
        0 after a clean stop, 1 where a batch failed (an orchestrator starts it again), 3 where
        the stop failed or took longer than ``service.stop_timeout_s``, 4 where something stood
        still beyond its limit (``[watchdog]``).
    """
    configure_logging(settings.service.log_level)
    limit_arenas()
    allow_files()
    app = create_app(settings)
    # Faust's consumer has a thread, and a loop of its own.
    asyncio.set_event_loop_policy(LoopPolicy())
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_run(app, settings))


async def _run(app: InterestApp, settings: Settings) -> int:
    report = await check_topics(settings, client_options(settings))
    announce(app, report)
    app.know_topics(report)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app.in_worker = True
    try:
        await app.start()
        _spare_collector()
        log.info("worker started: http://%s:%d", settings.http.host, settings.http.port)
        await _until_stopped(app, stop)
        if not stop.is_set() and app.failure is None:
            app.failure = app.crash_reason or RuntimeError("Faust has stopped by itself")
    finally:
        code = await _stop(app, settings.service.stop_timeout_s)
    return code


def _spare_collector() -> None:
    """What is there at the start stays: the garbage collector needn't look at it again.

    A batch makes tens of thousands of tuples and lists that die with it, without cycles; at the
    default threshold each batch is looked through several times.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


async def _until_stopped(app: InterestApp, stop: asyncio.Event) -> None:
    waits: list[asyncio.Task[Any]] = [
        asyncio.create_task(stop.wait()),
        asyncio.create_task(app.wait_until_stopped()),
    ]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()


async def _stop(app: InterestApp, timeout_s: float) -> int:
    """Finish what is under way, commit, disconnect; the exit code.

    A stop that hangs (mode and aiokafka have done so) is ended hard: everything that was
    acknowledged and stored is safe, and what wasn't committed is read again. A thread of its own
    watches, because what hangs may be the event loop (Faust joins its consumer's thread).
    After a failure there is less to finish, and somebody waits for the partitions.
    """
    log.info("stopping")
    failure = app.failure
    if failure is not None:
        log.error("the worker ends because of: %s", failure)
        timeout_s = min(timeout_s, FAILED_STOP_S)
    code, late = _code(failure), f"the stop took longer than {timeout_s:g} s"
    hard = threading.Timer(timeout_s, _exit_hard, (late, code or LATE_STOP))
    hard.daemon = True
    hard.start()
    try:
        await app.stop()
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        # What is left (Faust's threads) would hold up the interpreter's end, for ever.
        _exit_hard(f"the stop failed: {error!r}", code or LATE_STOP)
    finally:
        hard.cancel()
    log.info("stopped")
    return _code(app.failure)


def _code(failure: BaseException | None) -> int:
    if isinstance(failure, StuckError):
        return STUCK
    return 0 if failure is None else FAILED


def _exit_hard(why: str, code: int) -> None:
    log.error("%s; exiting with code %d; where every thread is:", why, code)
    faulthandler.dump_traceback(sys.stderr)
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def announce(app: InterestApp, report: TopicReport) -> None:
    """Say what runs, and what isn't as it should be."""
    bundle, settings = app.bundle, app.settings
    log.info(
        "bundle %s: platforms %s; ONNX Runtime on %s",
        bundle.bundle_id,
        ", ".join(bundle.contract.platforms),
        app.engine.provider,
    )
    if app.access.locked:
        log.warning("%s", LOCKED)
    if settings.onnx.providers == "auto" and app.engine.provider != app.engine.wanted:
        log.info("CUDA was asked for and doesn't run here; the CPU does the work")
    for topic in report.created:
        log.info("created topic %s (%d partitions)", topic, report.partitions[topic])
    for warning in report.warnings:
        log.warning("%s", warning)
