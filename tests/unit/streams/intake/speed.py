"""What intake costs: ``python -m tests.unit.streams.intake.speed`` (not a test).

CPU microseconds of one process, the best of many repetitions, for batches of 2,000 records.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.log.partition import partitions_of
from streams.settings import parse_settings

NOW_MS = 1_795_342_272_123
COUNT = 2000
REPEAT = 100
INTAKE = Intake(parse_settings({"platforms": [{"name": "video"}]}))


def event(n: int, rng: random.Random, items: int) -> dict[str, Any]:
    """A click, or a purchase of several items, with fields that intake doesn't know."""
    value: dict[str, Any] = {
        "event_id": f"7f6a2c1e-3b58-4d7a-9c13-{n:012d}",
        "user_id": f"user-{rng.randrange(100_000)}",
        "time": "2026-11-22T10:11:12.123Z",
        "page": "home",
        "session": "abcdef",
        "price": 12.5,
        "currency": "EUR",
    }
    ids = [f"item-{rng.randrange(20_000)}" for _ in range(items)]
    if items == 1:
        return {**value, "item_id": ids[0]}
    return {**value, "items": [{"item_id": item, "price": 3.5} for item in ids]}


def best_us(work: Callable[[], object]) -> float:
    """CPU microseconds of the fastest of many runs."""
    fastest = float("inf")
    for _ in range(REPEAT):
        start = time.process_time()
        work()
        fastest = min(fastest, time.process_time() - start)
    return fastest * 1e6


def measure(items: int) -> str:
    """One line: what a record, an event and a partition cost."""
    rng = random.Random(items)
    values = [json.dumps(event(n, rng, items)).encode() for n in range(COUNT)]
    batch = SourceBatch("video.click", 0, range(COUNT), [NOW_MS] * COUNT, [None] * COUNT, values)
    keys = [key for key, _, _ in INTAKE.process(batch, NOW_MS).records]
    whole = best_us(lambda: INTAKE.process(batch, NOW_MS))
    chosen = best_us(lambda: partitions_of(keys, 8))
    return (
        f"{items} item(s), {len(values[0])} bytes: {whole / COUNT:.2f} us a record, "
        f"{whole / len(keys):.2f} us an event, {chosen / len(keys):.2f} us a partition\n"
    )


if __name__ == "__main__":
    for count in (1, 5):
        sys.stdout.write(measure(count))
