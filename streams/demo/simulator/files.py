"""The simulator's events and items as files to train on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from streams.demo.simulator.catalogue import shelves
from streams.demo.simulator.simulator import SimEvent, Simulator


def write_items(path: Path) -> None:
    """One line per item: platform, item_id, title, category."""
    with path.open("w", encoding="utf-8") as file:
        for platform, shelf in shelves().items():
            for item in shelf.items:
                line = {
                    "platform": platform,
                    "item_id": item.item_id,
                    "title": item.title,
                    "category": item.category,
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_events(path: Path, simulator: Simulator, days: int) -> Counter[tuple[str, str]]:
    """One native event a line, canonical users, in order of arrival; counts by platform."""
    counts: Counter[tuple[str, str]] = Counter()
    with path.open("w", encoding="utf-8") as file:
        for arrival in simulator.stream(days):
            if isinstance(arrival, SimEvent):
                file.write(json.dumps(_line(arrival)) + "\n")
                counts[arrival.platform, arrival.action] += 1
    return counts


def _line(event: SimEvent) -> dict[str, str | int]:
    return {
        "event_id": event.event_id,
        "user_id": event.user,
        "platform": event.platform,
        "action": event.action,
        "item_id": event.item_id,
        "time": event.time_ms,
    }
