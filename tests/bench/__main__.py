"""``python -m tests.bench``: the benchmark (docs/benchmark.md)."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.bench.parts.history import history
from tests.bench.parts.latency import latency
from tests.bench.parts.line import line
from tests.bench.parts.memory import memory
from tests.bench.parts.profile import profile
from tests.bench.parts.recovery import recovery
from tests.bench.parts.throughput import partitions, skewed, skews, throughput
from tests.bench.parts.workers import workers
from tests.bench.race.contestants import CONTESTANTS, PEER_PYTHON
from tests.bench.race.process import ROOT
from tests.bench.race.setup import Bench, Figures, Options, machine, open_bench
from tests.bench.report import GOALS, notes, ratio_spread, ratios, single_figures, table

Bound = tuple[str, float]
"""A ratio, and the lowest or highest that it may be."""
PARTS: Final[dict[str, Callable[[Bench], Figures]]] = {
    "throughput": throughput,
    "skewed": skewed,
    "skews": skews,
    "partitions": partitions,
    "line": line,
    "latency": latency,
    "history": history,
    "memory": memory,
    "workers": workers,
    "recovery": recovery,
    "profile": profile,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that were asked for, and write the report."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: ends all it started
    options = Options(
        only=_names(args.only, CONTESTANTS),
        parts=_names(args.parts, PARTS),
        rounds=args.rounds,
        events=args.events,
        users=args.users,
        latency_s=args.latency_s,
        recovery_users=args.recovery_users,
    )
    whole = _measure(options, args.report)
    sys.stdout.write(f"{table(whole)}\n\nreport: {args.report}\n")
    for what, message in whole["failed"].items():
        sys.stderr.write(f"error: {what} failed: {message.partition(chr(10))[0]}\n")
    if args.keep and not whole["failed"]:
        _write(args.keep, _without_runs(whole))
    if PEER_PYTHON.exists():
        _plot(args.report)
    kept = _guard(whole["ratios"], args.at_least, args.at_most)
    return 0 if kept and not whole["failed"] else 1


def _measure(options: Options, path: Path) -> Figures:
    """Run the parts; the report, which is written anew after each of them."""
    head = {"measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    figures: dict[str, Figures] = {}
    failed: dict[str, str] = {}

    def written() -> Figures:
        whole = {
            **head,
            "failed": failed,
            "ratios": ratios(figures),
            "ratio_spread": ratio_spread(figures),
            "notes": notes(figures),
            **single_figures(figures),
            "figures": figures,
        }
        _write(path, whole)
        return whole

    written()  # an earlier run's report doesn't outlive a stop
    try:
        with open_bench(options) as bench:
            failed = bench.failed
            for name in options.parts:
                sys.stderr.write(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}\n")
                with bench.attempt(name):
                    figures[name] = PARTS[name](bench)
                written()
    except KeyboardInterrupt:
        failed["stopped"] = f"by a signal, after {', '.join(figures) or 'no part'}"
    return written()


def _write(path: Path, report: Figures) -> None:
    """Whole or not at all: whoever reads it meanwhile, or after a stop, has valid JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(report, indent=1) + "\n")
    fresh.replace(path)


def _without_runs(found: Any) -> Any:
    """The report without the single runs, rounded: what is kept in the repository."""
    if isinstance(found, dict):
        return {k: _without_runs(v) for k, v in found.items() if k != "runs"}
    return float(f"{found:.5g}") if isinstance(found, float) else found


def _guard(
    found: Mapping[str, float | None], at_least: Sequence[Bound], at_most: Sequence[Bound]
) -> bool:
    """Whether all ratios keep their bounds; one that wasn't measured keeps none."""
    kept = True
    for bounds, most in ((at_least, False), (at_most, True)):
        for name, bound in bounds:
            value = found[name]
            if value is None or (value > bound if most else value < bound):
                words = "at most" if most else "at least"
                sys.stderr.write(f"error: {name} is {value}, it must be {words} {bound:g}\n")
                kept = False
    return kept


def _plot(report: Path) -> None:
    """Draw the picture in the environment that has matplotlib; the figures are there without."""
    picture = report.with_suffix(".svg")
    command = [str(PEER_PYTHON), "-m", "tests.bench.plot", str(report), str(picture)]
    if (code := subprocess.run(command, cwd=ROOT).returncode) == 0:
        sys.stdout.write(f"picture: {picture}\n")
    else:
        sys.stderr.write(f"warning: no picture, the plot ended with exit code {code}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, with commas")
    parser.add_argument("--parts", default=",".join(PARTS), help="parts, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contestant")
    parser.add_argument("--events", type=int, default=200_000, help="events of a run")
    parser.add_argument("--users", type=int, default=5_000, help="users of a run")
    parser.add_argument("--latency-s", type=float, default=15.0, help="seconds at each rate")
    parser.add_argument("--recovery-users", type=int, default=1_000_000, help="users recovered")
    for option, words in (("--at-least", "lower"), ("--at-most", "higher")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            type=_bound,
            metavar="RATIO=BOUND",
            help=f"end with exit code 1 where a ratio is {words} or missing (may be repeated)",
        )
    parser.add_argument("--keep", type=Path, help="also write it without single runs to this file")
    parser.add_argument("--report", type=Path, default=Path("build/bench.json"))
    return parser


def _bound(text: str) -> Bound:
    name, _, bound = text.partition("=")
    if name not in GOALS:
        raise argparse.ArgumentTypeError(f"no ratio {name!r}; there are {', '.join(GOALS)}")
    return name, float(bound)


def _names(text: str, known: Collection[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
