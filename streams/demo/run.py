"""One run of the demo on a line that is set up: show it live, let it run dry, judge it."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.live import Live

from streams.bundles.bundle import Bundle
from streams.demo.board import Board, Shown, Story
from streams.demo.judge import Verdict, judge
from streams.demo.live import Line, Rate
from streams.demo.producer import NativeProducer
from streams.demo.running import RunningDemo, SimClock, leave_note, remove_note
from streams.demo.simulator.catalogue import items_by_id, shelves
from streams.demo.simulator.people import DAY_MS
from streams.demo.simulator.simulator import Simulator
from streams.demo.simulator.topics import PLATFORMS
from streams.demo.suggested_command import send_line
from streams.demo.view import Snapshot, frame, plain_rates, plain_story, summary
from streams.demo.worker_process import WorkerProcess
from streams.errors import BundleError

PAST_DAYS: Final = 2
PARTS_A_DAY: Final = 4
LIVE_DAY_S: Final = 20.0
"""Seconds that a simulated day takes."""
FRAME_S: Final = 0.25
STORY_S: Final = 3.0
BY_HAND_S: Final = 10.0
VERDICT_S: Final = 2.0
DRAIN_S: Final = 20.0
DRAIN_POLL_S: Final = 0.05
EARLIER: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


class DemoRun:
    """One run, from the first event to the verdict.

    Args:
        simulator: the world.
        bundle: what the worker serves.
        worker: it runs and is ready.
        producer: to its broker.
        console: where to show it.
    """

    def __init__(
        self,
        simulator: Simulator,
        bundle: Bundle,
        worker: WorkerProcess,
        producer: NativeProducer,
        console: Console,
    ) -> None:
        self._simulator, self._worker, self._console = simulator, worker, console
        self._shown = {name: shown_items(bundle, name) for name in PLATFORMS}
        self._topics = {n: np.array([i.topic for i in s.items]) for n, s in self._shown.items()}
        self._line = Line(Board(self._shown, self._user_of()), simulator, producer)
        self._producer = producer
        names = producer.topics
        self._topics_of = {platform: names.event(platform, "click") for platform in PLATFORMS}
        self._rates = (Rate(), Rate())
        self._story: Story | None = None
        self._earlier: list[Story] = []
        self._told_s = self._judged_s = 0.0
        self._hold_s = 0.0
        self._verdict: Verdict | None = None
        self._live_from_ms = simulator.start_ms + PAST_DAYS * DAY_MS
        self._clock = SimClock(self._live_from_ms, 0, 0.0)
        self._send_line = ""

    def run(self, seconds: float | None, stopping: threading.Event) -> int:
        """Show it until the time is over or somebody stops it; the exit code."""
        began = time.monotonic()
        self._send_items()
        self._line.subscribe(PLATFORMS)
        self._line.watch(self._topics_of)
        try:
            self._catch_up(stopping)
            if stopping.is_set():
                return INTERRUPTED
            return self._live(seconds, stopping, began)
        finally:
            self._line.stop()

    def _catch_up(self, stopping: threading.Event) -> None:
        """Send the past, so that everybody has a vector when it gets live.

        A part of a day at a time: all at once, a person's platforms would be read far out of
        order, and the worker would spend its time on putting late events into their place.
        """
        began = time.monotonic()
        for part in range(1, PAST_DAYS * PARTS_A_DAY + 1):
            self._line.send_past(self._simulator.start_ms + part * DAY_MS // PARTS_A_DAY)
            done = _accounted(self._drain())
            if stopping.is_set():
                return
            if done < self._line.sent:
                raise self._worker.stuck(
                    f"of {self._line.sent:,} events the worker has read {done:,.0f}, and none for "
                    f"{DRAIN_S:g} s"
                )
        took = time.monotonic() - began
        rate = f"{self._line.sent / took:,.0f}/s"
        say(f"{self._line.sent:,} events of the past {PAST_DAYS} days in {took:.1f} s ({rate})")

    def _live(self, seconds: float | None, stopping: threading.Event, began: float) -> int:
        now_ms = int(time.time() * 1000)
        self._clock = SimClock(self._live_from_ms, now_ms, DAY_MS / 1000 / LIVE_DAY_S)
        bootstrap, http = self._producer.bootstrap, self._worker.http
        note = RunningDemo(os.getpid(), bootstrap, http, self._clock, self._topics_of)
        leave_note(note)
        with self._line.lock:
            self._line.board.take_story()  # those of the past are over
            quiet = self._line.board.quiet_people()
        self._send_line = send_line(self._simulator, self._live_from_ms, quiet)
        try:
            self._line.produce(self._clock)
            self._show(seconds, stopping)
            return self._finish(time.monotonic() - began)
        finally:
            remove_note(note)

    def _show(self, seconds: float | None, stopping: threading.Event) -> None:
        deadline = time.monotonic() + seconds if seconds is not None else float("inf")
        if not self._console.is_terminal:
            print(f"to send an event of your own: {self._send_line}", flush=True)
            while time.monotonic() < deadline and not stopping.wait(FRAME_S):
                self._tick_plain()
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while time.monotonic() < deadline and not stopping.wait(FRAME_S):
                self._tick()
                live.update(frame(self._snapshot(), self._console.width), refresh=True)

    def _tick(self) -> Story | None:
        """Look after everything; the story where there is a new one to tell."""
        self._worker.check()
        if self._line.failure is not None:
            raise self._line.failure
        now = time.monotonic()
        if now - self._judged_s >= VERDICT_S:
            self._judged_s = now
            self._verdict = self._judge()
        with self._line.lock:
            story = self._line.board.take_story(by_hand=True)
            if story is None and now - self._told_s >= self._hold_s:
                story = self._line.board.take_story()
        if story is None:
            return None
        if self._story is not None:
            self._earlier = [self._story, *self._earlier][:EARLIER]
        self._story, self._told_s = story, now
        self._hold_s = BY_HAND_S if story.event.by_hand else STORY_S
        return story

    def _tick_plain(self) -> None:
        story = self._tick()
        now = self._snapshot()
        if story is not None:
            lines = [*plain_story(story, now.when), plain_rates(now)]
            print("\n".join(lines), flush=True)

    def _finish(self, seconds: float) -> int:
        """Let the line run dry, judge, say it; the exit code."""
        self._line.stop_producing()
        totals = self._drain()
        time.sleep(FRAME_S)  # the last vectors are on their way to the feeds
        verdict = self._judge()
        skipped = "interest_events_skipped_total"
        counts = {
            "events in": self._line.sent,
            "applied": totals.get("interest_events_applied_total", 0.0),
            "duplicates": totals.get(f'{skipped}{{reason="duplicate"}}', 0.0),
            "too late": totals.get(f'{skipped}{{reason="late"}}', 0.0),
            "dead letters": totals.get("interest_dead_letters_total", 0.0),
            "logins": self._line.links,
            "vectors out": self._line.board.vectors_received,
        }
        missing = max(0, self._line.sent - int(_accounted(totals)))
        latencies = self._line.latencies()
        lines = summary(verdict, counts, seconds, latencies, missing)
        if self._console.is_terminal:
            wide = self._console.width
            lines = [textwrap.fill(line, wide, subsequent_indent="  ") for line in lines]
        print("\n".join(lines), flush=True)
        return 0 if verdict.follows and not missing else 1

    def _drain(self) -> dict[str, float]:
        """Wait until all that was sent is accounted for; the worker's totals.

        Gives up where nothing moves for some seconds.
        """
        totals, best = self._worker.totals(), -1.0
        since = time.monotonic()
        while _accounted(totals) < self._line.sent and time.monotonic() - since < DRAIN_S:
            if _accounted(totals) > best:
                best, since = _accounted(totals), time.monotonic()
            time.sleep(DRAIN_POLL_S)
            totals = self._worker.totals()
        return totals

    def _judge(self) -> Verdict:
        now_ms = self._clock.at(int(time.time() * 1000))

        def relevance(user: str, target: str) -> NDArray[np.float64]:
            truth = self._simulator.truth(user, now_ms)
            return np.asarray(truth[self._topics[target]], np.float64)

        with self._line.lock:
            return judge(self._line.board.judged(relevance))

    def _snapshot(self) -> Snapshot:
        now_ms = int(time.time() * 1000)
        line, now = self._line, time.monotonic()
        latencies = line.latencies()
        return Snapshot(
            when=_when(self._clock.at(now_ms) - self._simulator.start_ms),
            people=len(self._simulator.people),
            events=line.sent,
            vectors=line.board.vectors_received,
            events_per_s=self._rates[0].update(now, line.sent),
            vectors_per_s=self._rates[1].update(now, line.board.vectors_received),
            p50_s=latencies[0] if latencies else None,
            p99_s=latencies[1] if latencies else None,
            story=self._story,
            earlier=tuple(self._earlier),
            verdict=self._verdict,
            send_line=self._send_line,
        )

    def _send_items(self) -> None:
        for platform, shelf in shelves().items():
            for item in shelf.items:
                self._producer.send_item(platform, item.item_id, item.title, item.category)
        self._producer.flush()

    def _user_of(self) -> Callable[[str, str], str | None]:
        known = {
            (platform, self._simulator.target_id(person.user, platform)): person.user
            for person in self._simulator.people
            for platform in PLATFORMS
        }
        return lambda target, target_id: known.get((target, target_id))


def shown_items(bundle: Bundle, platform: str) -> Shown:
    """A platform's items and output vectors, in the bundle's order.

    Raises:
        BundleError: the bundle isn't about the simulator's items.
    """
    table, known = bundle.items.get(platform), items_by_id()
    if table is None or any((platform, item_id) not in known for item_id in table.id_list):
        raise BundleError(
            f"{bundle.path} isn't about the simulator's items on {platform!r}; the demo needs a "
            "bundle that was trained on `interest-stream simulate-events` (make bundle)"
        )
    items = [known[platform, item_id] for item_id in table.id_list]
    return Shown(items, np.asarray(table.vectors_out, np.float32))


def _accounted(totals: dict[str, float]) -> float:
    names = ("events_applied", "events_skipped", "dead_letters")
    return sum(totals.get(f"interest_{name}_total", 0.0) for name in names)


def _when(since_start_ms: int) -> str:
    day, rest = divmod(since_start_ms, DAY_MS)
    minutes = rest // 60_000
    return f"day {day + 1}, {minutes // 60:02d}:{minutes % 60:02d}"


def say(text: str) -> None:
    """A word about the set-up, apart from what is shown."""
    print(text, file=sys.stderr, flush=True)
