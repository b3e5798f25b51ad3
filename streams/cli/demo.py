"""``interest-stream demo``: the whole line on one machine, with nothing to set up.

An embedded broker, simulated people on three platforms, the real worker, real subscribers.
It ends with a judgement against the simulator's truth, which is also its exit code.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from streams.demo.whole_line import run_demo

BUNDLE: Final = Path(__file__).parents[1] / "demo" / "bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--seconds", type=float, help="end by itself (default: at Ctrl-C)")
    parser.add_argument("--users", type=int, default=300, help="people (default 300)")
    parser.add_argument("--seed", type=int, default=2026, help="of the people (default 2026)")
    parser.add_argument(
        "--bundle",
        type=Path,
        default=BUNDLE,
        metavar="DIR",
        help="default: the shipped one",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 only if vectors follow the simulator's truth better than popularity."""
    return run_demo(args.bundle, args.users, args.seed, args.seconds)
