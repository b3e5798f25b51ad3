"""What a long run has tried so far: written after each chunk, so that the next can go on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.simulation.machines.tally import Tally

ROOT = Path(__file__).parents[2]
TREES = ("streams", "models/contract.py", "tests/simulation")
"""What the outcome of a schedule depends on, but for the libraries."""
KEPT = 100
"""Violations that a report names; all are counted."""


class OtherRunError(Exception):
    """A report is of another run than the one that is to go on from it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one chunk of seeds came to."""

    first: int
    count: int
    tally: Tally
    broken: list[tuple[int, str]]
    """Seed and violation."""


@dataclass
class Report:
    """Any number of chunks.

    Attributes:
        run: what decides about the outcome of a seed.
        tally: the chunks' sums.
        seconds: wall time, that of earlier runs included.
        tried: seeds that were tried: first and number of each stretch, in order.
        broken: seeds and violations.
    """

    run: dict[str, Any]
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    tried: list[tuple[int, int]] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)

    def add(self, done: Done) -> None:
        """One more chunk."""
        for one in fields(Tally):
            total = getattr(self.tally, one.name) + getattr(done.tally, one.name)
            setattr(self.tally, one.name, total)
        self.tried = joined([*self.tried, (done.first, done.count)])
        self.broken = sorted([*self.broken, *done.broken])

    def missing(self, first: int, count: int, size: int) -> list[tuple[int, int]]:
        """Seeds of a stretch that weren't tried, in chunks of ``size`` at the most."""
        found, at, end = list[tuple[int, int]](), first, first + count
        for start, length in [*self.tried, (end, 0)]:
            gap = min(start, end)
            found += [(begin, min(size, gap - begin)) for begin in range(at, gap, size)]
            at = max(at, start + length)
        return found

    def totals(self) -> dict[str, Any]:
        """What is told about all chunks together."""
        return {**asdict(self.tally), "seconds": round(self.seconds, 1), **self.run}

    def write(self, path: Path) -> None:
        """Put it where the one before was, whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        broken = [{"seed": seed, "violation": what} for seed, what in self.broken[:KEPT]]
        value = {**self.totals(), "broken": broken, "tried": self.tried}
        beside.write_text(json.dumps(value, indent=1) + "\n")
        beside.replace(path)

    @classmethod
    def read(cls, path: Path, run: dict[str, Any]) -> Report:
        """What an earlier run wrote; nothing where there is no such file.

        Raises:
            OtherRunError: it tried other schedules, or other code.
        """
        if not path.exists():
            return cls(run)
        value = json.loads(path.read_text())
        for name, wanted in run.items():
            if value.get(name) != wanted:
                raise OtherRunError(
                    f"{path} is of another run: {name} is {value.get(name)!r}, here {wanted!r};"
                    " take another --report, or begin anew without --resume"
                )
        tally = Tally(**{one.name: value[one.name] for one in fields(Tally)})
        broken = [(one["seed"], one["violation"]) for one in value["broken"]]
        tried = [(first, count) for first, count in value["tried"]]
        return cls(run, tally, value["seconds"], tried, broken)


def joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches in order, neighbours as one."""
    out: list[tuple[int, int]] = []
    for first, count in sorted(stretches):
        if out and sum(out[-1]) == first:
            out[-1] = out[-1][0], out[-1][1] + count
        else:
            out.append((first, count))
    return out


def code() -> str:
    """A hash of the code whose outcome the report is of."""
    digest = sha256()
    for tree in TREES:
        path = ROOT / tree
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
