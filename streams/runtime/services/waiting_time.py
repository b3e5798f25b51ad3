"""How far behind a partition is, in seconds, from offsets alone."""

from __future__ import annotations

from typing import Final

MAX_SAMPLES: Final = 512


class WaitingTime:
    """For how long the oldest unprocessed record of one partition has waited.

    Under steady traffic a few records are always on their way, so the time since nothing was
    waiting would grow for ever while every record waits for milliseconds only. Instead this
    remembers when the end of the partition was first seen beyond each offset: the record at
    the processed offset has been there since the first such sight that is still ahead of it.
    Too small by at most one interval between two calls; behind for long, by 1% of the time.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []
        self._spacing_s = 0.0

    def observe(self, now_s: float, processed: int, end: int) -> float:
        """Seconds that the record at ``processed`` has waited; 0 when there is none.

        Args:
            now_s: a clock that never goes back, in seconds.
            processed: offset after the last processed record.
            end: offset after the last record of the partition, as far as known.
        """
        seen = self._seen
        done = next((n for n, (_, at) in enumerate(seen) if at > processed), len(seen))
        del seen[:done]
        if not seen:
            self._spacing_s = 0.0
        if end > (seen[-1][1] if seen else processed):
            self._remember(now_s, end)
        return now_s - seen[0][0] if seen else 0.0

    def _remember(self, now_s: float, end: int) -> None:
        if self._seen and now_s - self._seen[-1][0] < self._spacing_s:
            return
        self._seen.append((now_s, end))
        if len(self._seen) > MAX_SAMPLES:
            # Behind for long: half as many sights, evenly spaced, are as good.
            del self._seen[1::2]
            self._spacing_s = 2 * (now_s - self._seen[0][0]) / MAX_SAMPLES
