"""``python -m tests.chaos --faults 200``: faults at random under load, and what became of it.

The exit status is 0 where every state and every last vector equals the sequential reference and
every fault was survived without a hand.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

from streams.cli.main import COMMANDS
from tests.chaos.draw import KINDS, draw
from tests.chaos.faults import HASTE
from tests.chaos.plan import BACK_S, Outcome, Plan
from tests.chaos.run import run
from tests.chaos.systems.disk import small_disks
from tests.chaos.systems.stock import StockFaust
from tests.chaos.systems.systems import Service, System
from tests.chaos.verdict import report

ONE_NODE: Final = 0.15
"""Share of the faults that strike with a single broker."""
SLOTS: Final = 3
RUNNING: Final = 2
STOCK_SEED: Final = 1_000_003


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all phases, write the report."""
    signal.signal(signal.SIGTERM, _leave)  # through all context managers
    options = _options(arguments)
    skipped = _skipped(options.folder)
    kinds = [kind for kind in (options.kinds or KINDS) if kind not in skipped]
    began = datetime.now(UTC).isoformat(timespec="seconds")
    mine = _system(options, "interest_stream", options.faults, kinds, options.seed)
    whole = {
        **report.figures(mine, options.session),
        "stock_faust": None,
        "seed": options.seed,
        "rate": options.rate,
        "haste": options.haste,
        "patience_s": options.patience,
        "session_timeout_s": options.session,
        "began": began,
        "versions": report.versions(),
        "cores": os.cpu_count(),
        "load_average_15min_at_the_end": round(os.getloadavg()[2], 1),
        "skipped_kinds": skipped,
        "ok": report.good(mine),
    }
    _write(options.report, whole)  # before the comparison, which can't take it away then
    columns = {"interest-stream": whole}
    if options.stock:
        fit = [kind for kind in kinds if KINDS[kind].stock]
        theirs = _system(options, "stock_faust", options.stock, fit, options.seed + STOCK_SEED)
        whole["stock_faust"] = columns["stock Faust"] = report.figures(theirs, options.session)
        _write(options.report, whole)
    _tell(columns, options)
    return 0 if whole["ok"] else 1


def _tell(columns: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """The table, and what to do with it."""
    whole = columns["interest-stream"]
    _say("\n" + report.table(columns, options.session))
    for kind, why in whole["skipped_kinds"].items():
        _say(f"Not drawn: {kind} ({why}).")
    _say(f"\n{'OK' if whole['ok'] else 'FAILED'}: seed {options.seed}, report {options.report}")
    for example in whole["examples"]:
        _say(f"  {example}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="for the service")
    parser.add_argument("--stock", type=int, default=None, help="for stock Faust; default a fifth")
    parser.add_argument("--seed", type=int, default=None, help="default: the time")
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--session", type=float, default=6.0, help="session time-out, seconds")
    parser.add_argument(
        "--haste", type=float, default=HASTE, help="share that strikes into another"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=BACK_S,
        metavar="SECONDS",
        help="for full speed, before the next one strikes (for busy machines)",
    )
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), help="only these")
    parser.add_argument("--folder", type=Path, default=Path("build/chaos"))
    parser.add_argument("--report", type=Path, default=Path("build/chaos.json"))
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; what depends on others is filled in."""
    options = _parser().parse_args(arguments)
    if options.stock is None:
        options.stock = max(1, options.faults // 5)
    if options.seed is None:
        options.seed = int(time.time()) % 1_000_000
    return options


def _system(
    options: argparse.Namespace, name: str, faults: int, kinds: Sequence[str], seed: int
) -> Outcome:
    """Both phases of a system: three brokers, then one."""
    rng = random.Random(seed)
    whole = Outcome()
    single = [kind for kind in kinds if 1 in KINDS[kind].nodes]
    three = [kind for kind in kinds if 3 in KINDS[kind].nodes]
    on_one = round(faults * ONE_NODE) if "only_broker_restarted" in single else 0
    on_one = on_one if three else faults
    for nodes, count, fit in ((3, faults - on_one, three), (1, on_one, single)):
        if not count:
            continue
        folder = options.folder / f"{name}-{nodes}"
        shutil.rmtree(folder, ignore_errors=True)
        drawn = draw(rng, count, fit, running=RUNNING, slots=SLOTS, haste=options.haste)
        what = name.replace("_", " ")
        _say(f"\n{what}: {count} faults, {nodes} broker{'s'[: nodes > 1]}, seed {seed}")
        plan = Plan(
            folder,
            nodes,
            options.rate,
            options.session,
            drawn,
            RUNNING,
            SLOTS,
            _say,
            patience_s=options.patience,
        )
        whole.add(run(plan, _make(name, folder, seed, nodes, options.session)))
    return whole


def _make(name: str, folder: Path, seed: int, nodes: int, session_s: float) -> System:
    prefix = f"{name.replace('_', '-')}-{nodes}"
    if name == "stock_faust":
        return StockFaust(prefix, seed, nodes, session_s)
    return Service(folder, prefix, seed, nodes, session_s)


def _skipped(folder: Path) -> dict[str, str]:
    """Kinds that can't be had here, and why."""
    skipped = {}
    with small_disks([folder / "try"]) as why:
        if why:
            skipped["disk_full"] = why
    if "bundle" not in COMMANDS:
        skipped["bundle_swapped"] = "this version has no command that announces a bundle"
    return skipped


def _write(path: Path, whole: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
