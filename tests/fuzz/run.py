"""Fuzzing guided by coverage, with Atheris (libFuzzer): ``python -m tests.fuzz.run --inputs N``.

Each target runs in processes of its own, in pieces of at most ``--piece`` inputs, because a
crash ends one. The inputs that reached new code go on from piece to piece; with ``--keep`` the
shortest of them go into ``tests/fuzz/kept``. Atheris runs on Linux (x86-64).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.fuzz.corpus import keep, kept, seeds
from tests.fuzz.targets import TARGETS

MAX_LEN: Final = 4096
KEPT: Final = 40
"""Inputs of a target that are kept in the tree, at most."""
KEPT_BYTES: Final = 1024
WEIGHTS: Final = {"manifest": 0.5, "bundle": 0.25}
"""Targets that take less than an equal share, because they write files."""
TIMEOUT_S: Final = 10
MEMORY_MB: Final = 2048
COVERED: Final = re.compile(rb"\bcov: (\d+)")
RAN: Final = re.compile(rb"stat::number_of_executed_units:\s+(\d+)")


@dataclass
class Result:
    """What became of a target.

    Attributes:
        inputs: how many were run.
        crashes: files with inputs that got past the decoder, were too slow or took too much.
        coverage: edges that the first inputs reached, and that were reached in the end.
        seconds: of the wall.
    """

    inputs: int = 0
    crashes: list[str] = field(default_factory=list)
    coverage: list[int] = field(default_factory=lambda: [0, 0])
    seconds: float = 0.0


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz, write the report; 1 where something crashed."""
    args = _parser().parse_args(argv)
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("fuzzing needs Atheris, which runs on Linux (x86-64): make setup\n")
        return 2
    names = args.target or list(TARGETS)
    results = {name: Result() for name in names}
    whole = sum(WEIGHTS.get(name, 1.0) for name in names)
    for name, result in results.items():
        share = math.ceil(args.inputs * WEIGHTS.get(name, 1.0) / whole)
        _run_target(name, share, args, result)
        _write(args, results)
    return 1 if any(result.crashes for result in results.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--inputs", type=int, default=100_000, help="over all targets")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this")
    parser.add_argument("--piece", type=int, default=20_000, help="inputs of one process")
    parser.add_argument("--report", type=Path, default=Path("build/fuzz.json"))
    parser.add_argument("--artifacts", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--keep", action="store_true", help="add to tests/fuzz/kept")
    return parser


def _run_target(name: str, share: int, args: argparse.Namespace, result: Result) -> None:
    began = time.monotonic()
    args.artifacts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as scratch:
        corpus = Path(scratch)
        for number, data in enumerate(seeds(name)):
            (corpus / f"seed-{number}").write_bytes(data)
        while result.inputs < share and len(result.crashes) < 10:
            runs = min(args.piece, share - result.inputs)
            _run_piece(name, corpus, runs, args.artifacts, result)
        if args.keep:
            _keep(name, corpus)
    result.seconds = round(time.monotonic() - began, 1)
    line = f"{name:12} {result.inputs:>9,} inputs  {result.coverage}  {result.seconds:g} s"
    print(f"{line}  {len(result.crashes)} crashes", flush=True)  # noqa: T201


def _run_piece(name: str, corpus: Path, runs: int, artifacts: Path, result: Result) -> None:
    prefix = artifacts / f"{name}-"
    before = set(artifacts.glob(f"{name}-*"))
    limits = (f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={MAX_LEN}")
    done = _child(
        name, f"-runs={runs}", *limits, f"-artifact_prefix={prefix}", "-print_final_stats=1",
        str(corpus),
    )  # fmt: skip
    covered = [int(number) for number in COVERED.findall(done.stderr)]
    if covered:
        result.coverage[0] = result.coverage[0] or covered[0]
        result.coverage[1] = max(result.coverage[1], covered[-1])
    ran = RAN.search(done.stderr)
    result.inputs += int(ran[1]) if ran else runs
    if done.returncode != 0:
        found = sorted(str(path) for path in set(artifacts.glob(f"{name}-*")) - before)
        result.crashes += found or ["(no input)"]
        (artifacts / f"{name}.log").write_bytes(done.stderr[-20_000:] + done.stdout[-5_000:])


def _child(name: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tests.fuzz.child", name, *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def _keep(name: str, corpus: Path) -> None:
    """The shortest inputs that reached new code, beside those that were kept before."""
    before = kept(name)
    found = [path.read_bytes() for path in corpus.iterdir() if not path.name.startswith("seed-")]
    new = sorted((data for data in found if 0 < len(data) <= KEPT_BYTES), key=len)
    keep(name, [*before, *new[: max(0, KEPT - len(before))]])


def _write(args: argparse.Namespace, results: dict[str, Result]) -> None:
    report = {
        "inputs": sum(result.inputs for result in results.values()),
        "crashes": sum(len(result.crashes) for result in results.values()),
        "seconds": round(sum(result.seconds for result in results.values()), 1),
        "targets": {name: asdict(result) for name, result in results.items()},
    }
    args.report.parent.mkdir(parents=True, exist_ok=True)
    args.report.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
