"""When a consumer asks its brokers again."""

from __future__ import annotations

import time
from typing import Any, Final

from aiokafka.consumer.subscription_state import Assignment

PACE_S: Final = 0.01
"""Least time from what a small fetch brought to the next request."""
SLOWEST_S: Final = 0.04
"""The same of a worker that is busy."""
BUSY: Final = 0.65
"""Share of a core from which on a worker asks less often, for batches that cost less an event."""
STEP: Final = 1.2
"""Most by which the pace changes from one fetch to the next."""
PLENTY: Final = 1_000
"""A fetch of so many records is followed by the next at once."""


class Pace:
    """When to ask the brokers again: a trickle is served at once, a stream in batches of some size.

    Each fetch costs the same, whatever it brings, and so does each batch behind it. So after one
    that brought little the next request waits until :data:`PACE_S` have passed, and brings what
    has come meanwhile. (A request that is sent at once brings the next record alone, and what comes
    behind it waits for another.) After one that brought nothing it doesn't: it is there when the
    next record comes. A worker that takes more than :data:`BUSY` of a core would wait for itself
    next: its requests get rarer, up to :data:`SLOWEST_S`, until larger batches have made room.
    """

    def __init__(self) -> None:
        self._next = 0.0
        self._pace_s = PACE_S
        self._began, self._cpu = time.monotonic(), time.process_time()

    def left_s(self) -> float:
        """Seconds until the next request."""
        return self._next - time.monotonic()

    def fetched(self, records: int) -> None:
        """A fetch brought so many records."""
        now, cpu = time.monotonic(), time.process_time()
        if 0 < records < PLENTY:
            busy = (cpu - self._cpu) / max(now - self._began, PACE_S)
            change = min(max(busy / BUSY, 1 / STEP), STEP)
            self._pace_s = min(max(self._pace_s * change, PACE_S), SLOWEST_S)
            self._next = now + self._pace_s
        else:
            self._next, self._pace_s = 0.0, PACE_S
        self._began, self._cpu = now, cpu

    def hold(self, fetcher: Any) -> None:
        """Have aiokafka's fetcher send no request for records before its time."""
        plan = fetcher._get_actions_per_node

        def paced(assignment: Assignment) -> tuple[Any, ...]:
            requests, resets, timeout_s, *rest = plan(assignment)
            if requests and (left := self.left_s()) > 0:
                requests, timeout_s = [], min(timeout_s, left)
            return requests, resets, timeout_s, *rest

        fetcher._get_actions_per_node = paced
