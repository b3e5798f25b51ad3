"""Time back to full speed, from a record of how long the oldest event waited."""

from __future__ import annotations

import bisect
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

SLOW_S: Final = 2.0
"""Full speed: no event has waited longer than this for its vector."""
LOOK_S: Final = 0.1


class Gauge:
    """Samples a waiting time until it is stopped.

    Args:
        waiting_s: how long the oldest event has waited.
    """

    def __init__(self, waiting_s: Callable[[], float]) -> None:
        self._waiting_s = waiting_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._slow_at: list[float] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self._waiting_s() > SLOW_S:
                self._slow_at.append(time.monotonic())

    def is_fast(self, for_s: float) -> bool:
        """Nothing has been slow for so long."""
        return not self._slow_at or self._slow_at[-1] < time.monotonic() - for_s

    def recovery_s(self, struck: float, until: float) -> float:
        """From ``struck`` to the last slow moment before ``until``; 0 if there was none."""
        place = bisect.bisect_right(self._slow_at, until) - 1
        return max(0.0, self._slow_at[place] - struck) if place >= 0 else 0.0


def summary(times: Sequence[float]) -> dict[str, Any]:
    """``recovery_median_s`` and ``recovery_max_s``; None where nothing was measured."""
    return {
        "recovery_median_s": round(statistics.median(times), 2) if times else None,
        "recovery_max_s": round(max(times), 2) if times else None,
    }
