"""How long the oldest event has waited for the answer that has it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable


class Waiting:
    """Events in the order of sending, and how far each stream of answers has come.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: deque[tuple[int, float, tuple[Hashable, ...]]] = deque()
        self._answered: dict[Hashable, int] = {}
        self._same: tuple[int | None, float] = (None, clock())

    def begun(self) -> bool:
        """Something has been answered."""
        return bool(self._answered)

    def sent(self, number: int, answers: tuple[Hashable, ...]) -> None:
        """An event was sent; an answer of one of these streams will have it."""
        with self._lock:
            self._sent.append((number, self._clock(), answers))

    def answered(self, stream: Hashable, number: int) -> None:
        """A stream's answer has all of its events up to this one."""
        with self._lock:
            self._answered[stream] = max(number, self._answered.get(stream, -1))

    def seconds(self) -> float:
        """Age of the oldest event without an answer; 0 where there is none."""
        oldest = self._oldest()
        return self._clock() - oldest[1] if oldest else 0.0

    def still_s(self) -> float:
        """For how long the oldest event has been the same one, from the first look at it on."""
        oldest, now = self._oldest(), self._clock()
        number, since = self._same
        if oldest is None or oldest[0] != number:
            self._same = (oldest[0] if oldest else None), now
            return 0.0
        return now - since

    def describe(self) -> str:
        """The oldest event without an answer, in words."""
        oldest = self._oldest()
        return f"event {oldest[0]} of {oldest[2]} waits" if oldest else "nothing waits"

    def _oldest(self) -> tuple[int, float, tuple[Hashable, ...]] | None:
        with self._lock:
            known = self._answered
            while self._sent:
                number, _, answers = self._sent[0]
                if not any(known.get(stream, -1) >= number for stream in answers):
                    return self._sent[0]
                self._sent.popleft()
        return None
