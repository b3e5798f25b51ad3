"""``interest-stream simulate-events``: the simulator's events as a data set to train on."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from streams.demo.simulator.catalogue import shelves
from streams.demo.simulator.simulator import SimEvent, Simulator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--users", type=int, default=2000, help="number of people (default 2000)")
    parser.add_argument("--days", type=int, default=30, help="simulated days (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="default 1; the demo uses others")


def run(args: argparse.Namespace) -> int:
    """Write ``events.jsonl`` and ``items.jsonl`` into a folder; print counts."""
    args.out.mkdir(parents=True, exist_ok=True)
    write_items(args.out / "items.jsonl")
    counts = write_events(args.out / "events.jsonl", Simulator(args.seed, args.users), args.days)
    for (platform, action), count in sorted(counts.items()):
        print(f"{platform:8} {action:10} {count:>10,}")
    print(f"{sum(counts.values()):,} events of {args.users:,} users in {args.out}", file=sys.stderr)
    return 0


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
