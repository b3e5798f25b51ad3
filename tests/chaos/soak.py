"""A long steady load: ``python -m tests.chaos.soak --minutes 30``; memory must stay flat.

The slope of the worker's resident memory is fitted over the last two thirds, with its standard
error. In the first third caches fill: the users' rows, RocksDB's write buffers. The users' windows
must be full by then, too, because stored values grow with them; few users have that at a low rate.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.chaos.steady.alone import Alone, Flood, alone, write_report
from tests.chaos.steady.trend import fit

RATE: Final = 500.0
USERS: Final = 4_000
WINDOW: Final = 64
"""Events of a full window (the setting's default)."""
LOOK_S: Final = 5.0
WARM: Final = 1 / 3
LIMIT_MIB_PER_H: Final = 30.0
"""Flat: two standard errors above the slope are below this."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, write the report; 1 where memory wasn't flat or events were lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="at least 5")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second")
    parser.add_argument("--users", type=int, default=USERS, help="people who have the events")
    parser.add_argument("--folder", type=Path, default=Path("build/soak"))
    parser.add_argument("--report", type=Path, default=Path("build/soak.json"))
    options = parser.parse_args(arguments)
    most = int(60 * options.minutes * WARM * options.rate / WINDOW)
    if options.users > most:
        parser.error(f"--users {options.users}: the windows of {most} at most are full in time")
    with alone(options.folder, "soak") as there:
        flood = Flood(there.kafka.bootstrap, "soak", options.users)
        with flood.at(options.rate):
            series = _series(there, 60 * options.minutes)
        applied = _applied_at_last(there, flood.sent)
    warm = [(at, mib) for at, mib in series if at >= WARM * series[-1][0]]
    trend = fit([at for at, _ in warm], [mib for _, mib in warm])
    slope, error = 3600 * trend.slope, 3600 * trend.error
    report = {
        "minutes": options.minutes,
        "rate_events_per_s": options.rate,
        "users": options.users,
        "sent": flood.sent,
        "applied": int(applied),
        "rss_mib_first": series[0][1],
        "rss_mib_warm": warm[0][1],
        "rss_mib_last": series[-1][1],
        "slope_mib_per_hour": round(slope, 2),
        "slope_standard_error": round(error, 2),
        "fitted_minutes": trend.blocks,
        "limit_mib_per_hour": LIMIT_MIB_PER_H,
        "flat": slope + 2 * error < LIMIT_MIB_PER_H,
        "load_average_15min": round(os.getloadavg()[2], 1),
        "rss_mib": series[:: max(1, len(series) // 360)],
    }
    report["ok"] = bool(report["flat"]) and applied == flood.sent
    write_report(options.report, report)
    return 0 if report["ok"] else 1


def _series(there: Alone, seconds: float) -> list[tuple[float, float]]:
    began = time.monotonic()
    series = [(0.0, there.rss_mib())]
    while series[-1][0] < seconds:
        time.sleep(LOOK_S)
        series.append((round(time.monotonic() - began, 1), round(there.rss_mib(), 1)))
        if len(series) % 12 == 0:
            print(f"{series[-1][0]:6.0f} s  {series[-1][1]:7.1f} MiB", flush=True)  # noqa: T201
    return series


def _applied_at_last(there: Alone, sent: int) -> float:
    deadline = time.monotonic() + 120
    while there.applied() < sent and time.monotonic() < deadline:
        time.sleep(0.5)  # between two questions
    return there.applied()


if __name__ == "__main__":
    sys.exit(main())
