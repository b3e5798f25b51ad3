"""Ten times what the worker can do: ``python -m tests.chaos.overload --minutes 10``.

The worker's model is made slow, by :data:`STEP_S` for each event, so that ten times as much can be
sent by one producer on any machine. Its capacity is measured on a backlog; then events come ten
times as fast, for as long as asked; then none, the model is fast again (a hundred minutes of work
wait by then), and the lag must go. Memory must stay within :data:`BOUND_MIB`, what was sent must
have been ten times the capacity, and every event must be applied in the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.chaos.steady.alone import Alone, Flood, alone, write_report
from tests.chaos.steady.slow_worker import BATCH_RECORDS

FACTOR: Final = 10.0
BOUND_MIB: Final = 1024.0
"""What a worker of the default settings must not exceed, whatever waits for it (with a bundle
whose item vectors are small)."""
FACTOR_SLACK: Final = 0.98
"""The producer's clock isn't the report's."""
STEP_S: Final = 0.002
"""What an event costs in the slow model."""
MEASURE: Final = 20_000
"""Events of the backlog on which the capacity is measured: some 40 s."""
DRAIN_RATE: Final = 1_000.0
"""Events a second that the worker at full speed applies at the least, on a busy machine."""
LOOK_S: Final = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, write the report; 1 where the bound was exceeded or the lag didn't go."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.overload", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of overload")
    parser.add_argument("--folder", type=Path, default=Path("build/overload"))
    parser.add_argument("--report", type=Path, default=Path("build/overload.json"))
    options = parser.parse_args(arguments)
    report = overload(options.folder, options.minutes)
    write_report(options.report, report)
    return 0 if report["ok"] else 1


def overload(folder: Path, minutes: float) -> dict[str, Any]:
    """Overload a worker for some minutes, then let it catch up; the report."""
    lifted = folder.absolute() / "lifted"
    slow = (sys.executable, "-m", "tests.chaos.steady.slow_worker", str(STEP_S), str(lifted))
    with alone(folder, "overload", slow) as there:
        flood = Flood(there.kafka.bootstrap, "overload")
        capacity = _capacity(there, flood)
        _say(f"capacity: {capacity:,.0f} events/s; now {FACTOR * capacity:,.0f} a second")
        watch = _Watch(there)
        before, began, first = there.applied(), time.monotonic(), flood.sent
        with flood.at(FACTOR * capacity):
            while time.monotonic() < began + 60 * minutes:
                watch.look(flood)
            sent_s = time.monotonic() - began
            sent, done = flood.sent - first, there.applied() - before
        lag_at_end = there.lag()
        lifted.touch()
        waiting = flood.sent - there.applied()
        drain_s = _drain(there, flood, watch)
        applied = there.applied()
        report = {
            "minutes": minutes,
            "capacity_events_per_s": round(capacity),
            "sent_events_per_s": round(sent / sent_s),
            "applied_events_per_s_meanwhile": round(done / sent_s),
            "overload_over_capacity": round(sent / sent_s / capacity, 2),
            "overload_over_applied": round(sent / max(done, 1), 2),
            "lag_records_at_the_end_of_the_overload": lag_at_end,
            "drained": drain_s is not None,
            "drain_s": drain_s,
            "drained_with": "the fast model",
            "drained_events_per_s": drain_s and round(waiting / drain_s),
            "sent": flood.sent,
            "applied": int(applied),
            **watch.figures(),
        }
    fits = max(mib for _, mib in watch.rss) < BOUND_MIB
    enough = sent / sent_s >= FACTOR_SLACK * FACTOR * capacity
    report["ok"] = fits and enough and drain_s is not None and applied == flood.sent
    return report


def _capacity(there: Alone, flood: Flood) -> float:
    """Events a second that the worker applies from a backlog."""
    flood.send(20_000)  # everybody once: connections, caches, the first calls of the model
    flood.flush()
    _wait_applied(there, flood.sent)
    began = time.monotonic()
    flood.send(MEASURE)
    flood.flush()
    _wait_applied(there, flood.sent)
    return MEASURE / (time.monotonic() - began)


def _wait_applied(there: Alone, count: int, timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while there.applied() < count:
        assert time.monotonic() < deadline, f"{there.applied()} of {count} in {timeout_s:g} s"
        time.sleep(0.1)  # between two questions


class _Watch:
    """Samples the worker's memory."""

    def __init__(self, there: Alone) -> None:
        self._there = there
        self._began = time.monotonic()
        self._told = 0.0
        self.rss: list[tuple[float, float]] = [(0.0, there.rss_mib())]

    def look(self, flood: Flood) -> None:
        """Sample once, and say now and then how it is."""
        time.sleep(LOOK_S)
        at = time.monotonic() - self._began
        self.rss.append((round(at, 1), round(self._there.rss_mib(), 1)))
        if at - self._told > 30:
            self._told = at
            applied = self._there.applied()
            _say(
                f"{at:6.0f} s  {flood.sent:>12,} sent  {applied:>12,.0f} applied  "
                f"{flood.sent - applied:>12,.0f} behind  {self.rss[-1][1]:6.0f} MiB"
            )

    def figures(self) -> dict[str, Any]:
        """What the report says of memory, and of what the figures hold for."""
        return {
            "slow_model_s_per_event": STEP_S,
            "batch_records": BATCH_RECORDS,
            "rss_mib_before": round(self.rss[0][1], 1),
            "rss_mib_peak": round(max(mib for _, mib in self.rss), 1),
            "rss_mib_bound": BOUND_MIB,
            "load_average_15min": round(os.getloadavg()[2], 1),
            "rss_mib": self.rss[:: max(1, len(self.rss) // 200)],
        }


def _drain(there: Alone, flood: Flood, watch: _Watch) -> float | None:
    """Seconds until the lag was gone; None where it wasn't at :data:`DRAIN_RATE`."""
    began = time.monotonic()
    limit = 120 + (flood.sent - there.applied()) / DRAIN_RATE
    while there.applied() < flood.sent or there.lag():
        if time.monotonic() > began + limit:
            return None
        watch.look(flood)
    return round(time.monotonic() - began, 1)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
