"""Tries schedules: ``python -m tests.simulation.run --schedules 20000 --report FILE``.

Seeds are tried in chunks, each in a process of its own; what a seed does depends on the seed
alone. The report is written after every chunk, and ``--resume`` goes on from it.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.simulation.machines.flight import Rules
from tests.simulation.machines.tally import Tally
from tests.simulation.report import Done, OtherRunError, Report, code
from tests.simulation.schedules.seeds import make_schedule
from tests.simulation.trial import explain, violation_of

CHUNK = 500
"""Seeds of one process: some seconds of work."""
PROGRESS_S = 60


class ChunkError(RuntimeError):
    """A process ended without saying what its seeds came to."""


def try_seeds(first: int, count: int, *, zombies: bool) -> Done:
    """Some schedules, one after the other."""
    rules, tally, broken = Rules(), Tally(), []
    for seed in range(first, first + count):
        what = violation_of(make_schedule(seed, zombies=zombies), rules, tally)
        if what is not None:
            broken.append((seed, what))
    return Done(first, count, tally, broken)


def _tell(out: Connection, first: int, count: int, zombies: bool) -> None:
    gc.disable()  # a chunk's garbage, 100 MB, goes with its process; a tenth of the time
    out.send(try_seeds(first, count, zombies=zombies))
    out.close()


def in_processes(chunks: list[tuple[int, int]], processes: int, *, zombies: bool) -> Iterator[Done]:
    """The chunks' outcomes, in the order in which they come.

    Args:
        chunks: first seed and number of seeds of each.
        processes: how many chunks at once.
        zombies: see :func:`tests.simulation.schedules.seeds.make_schedule`.

    Raises:
        ChunkError: a process was killed, or ended otherwise without an outcome.
    """
    context = multiprocessing.get_context("fork")
    waiting, busy = list(reversed(chunks)), dict[Connection, tuple[int, BaseProcess]]()
    while waiting or busy:
        while waiting and len(busy) < processes:
            chunk = waiting.pop()
            back, out = context.Pipe(duplex=False)
            child = context.Process(target=_tell, args=(out, *chunk, zombies), daemon=True)
            child.start()
            out.close()  # the child's end is the only one, so its death is seen
            busy[back] = chunk[0], child
        for ready in wait(list(busy)):
            assert isinstance(ready, Connection)
            first, ended = busy.pop(ready)
            try:
                done = ready.recv()
            except EOFError:
                ended.join()
                raise ChunkError(
                    f"seeds from {first} on: the process ended with exit code {ended.exitcode}"
                ) from None
            ended.join()
            ready.close()
            yield done


class Progress:
    """A line every minute: how far, how fast, how long still."""

    def __init__(self, total: int, done: int, clock: Callable[[], float]) -> None:
        self.total, self.before, self.clock = total, done, clock
        self.began = self.last = clock()

    def tell(self, tally: Tally) -> None:
        """Print where a minute has passed."""
        now = self.clock()
        if now - self.last < PROGRESS_S:
            return
        self.last = now
        each = (now - self.began) / max(1, tally.schedules - self.before)
        left = each * (self.total - tally.schedules)
        print(  # noqa: T201
            f"{tally.schedules:,} of {self.total:,} schedules, {tally.violations} violations, "
            f"{1000 * each:.1f} ms each, about {left / 60:.0f} min left",
            flush=True,
        )


def search(report: Report, args: argparse.Namespace) -> None:
    """Try what the report lacks, and write it after each chunk."""
    chunks = report.missing(args.first, args.schedules, CHUNK)
    began, before, explained = time.monotonic(), report.seconds, len(report.broken)
    progress = Progress(args.schedules, report.tally.schedules, time.monotonic)
    for done in in_processes(chunks, args.processes, zombies=not args.no_zombies):
        report.add(done)
        report.seconds = before + time.monotonic() - began
        if args.report is not None:
            report.write(args.report)
        for seed, _ in done.broken[: max(0, args.stop_after - explained)]:
            explained += 1
            schedule = make_schedule(seed, zombies=not args.no_zombies)
            print(explain(schedule, Rules()), flush=True)  # noqa: T201
        progress.tell(report.tally)


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--resume", action="store_true", help="go on from what --report has")
    parser.add_argument("--no-zombies", action="store_true")
    parser.add_argument("--stop-after", type=int, default=5, help="violations to explain")
    parser.add_argument(
        "--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core"
    )
    return parser


def main() -> int:
    """Try schedules, write the report; 1 where a promise was broken, 2 where it can't go on."""
    args = arguments().parse_args()
    run = {"first_seed": args.first, "with_zombies": not args.no_zombies, "code": code()}
    try:
        resumed = args.resume and args.report is not None
        report = Report.read(args.report, run) if resumed else Report(run)
        search(report, args)
    except (OtherRunError, ChunkError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(json.dumps(report.totals()))  # noqa: T201
    return 1 if report.tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
