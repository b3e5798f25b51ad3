"""What every part of the benchmark needs: broker, model, folders, options."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count
from pathlib import Path
from sysconfig import get_config_var
from typing import Any

from deploy.kafka import KafkaServer
from tests.bench.graph import Model, make_model, write_ours, write_peers
from tests.bench.race.broker import bench_broker
from tests.bench.race.contestant import Place
from tests.bench.race.process import MIB, ROOT, cores, pin
from tests.bench.race.race import Race

Figures = dict[str, Any]
"""What a part measured, as JSON."""


@dataclass(frozen=True)
class Options:
    """What a person may choose.

    Attributes:
        only: names of contestants, in the order of their turns.
        parts: names of parts.
        rounds: how often each contestant has its turn.
        events: events of a run (slow contestants get a part of them).
        users: users of a run.
        partitions: partitions of every topic.
        latency_s: seconds measured at each rate.
        recovery_users: users that are recovered.
    """

    only: tuple[str, ...]
    parts: tuple[str, ...]
    rounds: int = 3
    events: int = 200_000
    users: int = 5_000
    partitions: int = 4
    latency_s: float = 15.0
    recovery_users: int = 1_000_000


@dataclass(frozen=True)
class Bench:
    """The stage that all parts run on.

    Attributes:
        server: the broker.
        core: the contestants' core.
        other_core: everything else's.
        model: weights and items.
        folder: a folder that is gone afterwards.
        options: what was chosen.
        race: runs a contestant.
        failed: parts, or contestants of them, that failed, with the message.
    """

    server: KafkaServer
    core: int
    other_core: int
    model: Model
    folder: Path
    options: Options
    race: Race
    failed: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def place(self, name: str, *, bundle: str = "bundle-1", partitions: int | None = None) -> Place:
        """A fresh place for a contestant: topics and a folder that nobody had before."""
        run = f"{name}-{next(self._numbers)}"
        folder = self.folder / run
        folder.mkdir()
        return Place(
            bootstrap=self.server.bootstrap,
            name=run,
            partitions=partitions or self.options.partitions,
            model=self.folder / "peers",
            bundle=self.bundle(bundle),
            folder=folder,
        )

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """What goes wrong in it is told and noted in the report, and the rest goes on."""
        try:
            yield
        except Exception as error:
            self.failed[what] = f"{type(error).__name__}: {error}"
            sys.stderr.write(f"error: {what} failed: {self.failed[what]}\n")

    def bundle(self, name: str) -> Path:
        """``bundle-1`` and ``bundle-3`` (the GRU, one or three platforms), or ``shipped``."""
        if name == "shipped":
            return ROOT / "streams" / "bench" / "bundle"
        return self.folder / name


@contextmanager
def open_bench(options: Options) -> Iterator[Bench]:
    """Start the broker, write the bundles; everything but contestants stays on one core."""
    core, other = cores()
    pin(other)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        model = make_model()
        for platforms in (1, 3):
            write_ours(folder / f"bundle-{platforms}", model, platforms)
        write_peers(folder / "peers", model)
        with bench_broker(other) as server:
            race = Race(server, core, model)
            yield Bench(server, core, other, model, folder, options, race)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def machine() -> Figures:
    """What the figures were measured on: nothing that names a place or a person."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    packages = ("faust-streaming", "aiokafka", "confluent-kafka", "onnxruntime-gpu", "numpy")
    return {
        "cpu": ", ".join(sorted(names)),
        "cores": len(os.sched_getaffinity(os.getppid())),
        "memory_mib": memory,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        # Built with profile-guided optimisation, as distributions do and pyenv doesn't.
        "python_optimised": "--enable-optimizations" in str(get_config_var("CONFIG_ARGS")),
        "packages": {name: version(name) for name in packages},
    }
