"""``interest-stream simulate-events``: the simulator's events as a data set to train on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from streams.demo.simulator.files import write_events, write_items
from streams.demo.simulator.simulator import Simulator


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
