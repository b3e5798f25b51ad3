"""Where the time goes: our worker at full speed under py-spy, by stage.

Writes ``bench-profile.folded`` (stacks with their samples: speedscope.app and flamegraph.pl
read it) and ``bench-profile.txt`` (stages, and the functions in which most time is spent).
"""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import Final

from tests.bench.graph import ITEMS
from tests.bench.parts.throughput import WARM_PART
from tests.bench.race.contestants import OURS, PEER_PYTHON
from tests.bench.race.process import ROOT, Pinned
from tests.bench.race.race import Job
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import make_traffic

SPY: Final = PEER_PYTHON.parent / "py-spy"
RATE: Final = 250
"""Samples a second."""
SHOWN: Final = 25
WAITING: Final = (
    ("EpollSelector.select ", "/selectors.py:"),
    ("Runner.run ", "/asyncio/runners.py:"),
    ("ServiceThread._start_thread ", "/mode/threads.py:"),
    ("Condition.wait ", "/threading.py:"),
    ("_worker ", "/concurrent/futures/thread.py:"),
)
"""Innermost frames, by function and file, of threads that wait.

A thread that waits for the network or for work is none, though its core may be busy. uvloop's
loops have no frame of their own: what shows is who runs them, the service's main thread and
mode's. What uvloop itself works has the same frame and is left out with it.
"""
STAGES: Final = (
    ("ONNX Runtime", ("streams/inference/engine.py", "streams/bundles/graphs.py", "onnxruntime/")),
    ("stored values", ("streams/windows/stored_", "streams/windows/slab.py")),
    ("windows and waves", ("streams/windows/", "streams/inference/")),
    ("vectors", ("streams/publish/", "streams/identity/directory.py")),
    ("decode, users, marks", ("streams/update/", "streams/identity/", "streams/log/")),
    ("local store", ("streams/runtime/table/", "rocksdict")),
    ("fetch and unpack", ("aiokafka/consumer", "aiokafka/record/", "streams/runtime/transport/")),
    ("send", ("streams/runtime/sending/", "aiokafka/producer")),
    ("pipelines", ("streams/runtime/",)),
    ("metrics", ("streams/metrics/",)),
    ("Kafka connections", ("aiokafka/",)),
    ("Faust", ("faust/", "mode/")),
    ("event loop", ("asyncio/", "uvloop")),
)
"""Stages by the innermost frame whose file has one of these in its path; first fit."""


def profile(bench: Bench) -> Figures:
    """Our worker's time by stage, from a profile that costs it nothing."""
    if not SPY.exists():
        raise FileNotFoundError(f"{SPY} isn't there; `make bench` installs it with the peers")
    options = bench.options
    traffic = make_traffic(options.events, options.users, ITEMS, options.partitions)
    folded = ROOT / "build" / "bench-profile.folded"
    folded.parent.mkdir(exist_ok=True)
    folded.unlink(missing_ok=True)  # else an earlier run's would pass for this one's
    spies: list[subprocess.Popen[bytes]] = []

    def spy(process: Pinned) -> None:
        command = [str(SPY), "record", "--pid", str(process.pid)]
        command += ["--rate", str(RATE), "--format", "raw", "--output", str(folded)]
        command += ["--nonblocking", "--full-filenames"]
        spies.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))

    place = bench.place("ours-profile")
    bench.race.run(OURS, place, Job(traffic, len(traffic) // WARM_PART, watch=spy))
    _, errors = spies[0].communicate(timeout=60)  # it ends with the process
    if not folded.exists():
        raise RuntimeError(f"py-spy: {errors.decode(errors='replace').strip()[-300:]}")
    found, text = analyse(folded.read_text())
    folded.with_suffix(".txt").write_text(text)
    return found


def analyse(folded: str) -> tuple[Figures, str]:
    """Samples, and the part of each stage in those that work; and as a text with functions."""
    stages: Counter[str] = Counter()
    leaves: Counter[str] = Counter()
    waiting = 0
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if any(frames[-1].startswith(name) and file in frames[-1] for name, file in WAITING):
            waiting += int(count)
            continue
        stages[_stage(frames)] += int(count)
        leaves[_short(frames[-1])] += int(count)
    total = stages.total()
    shares = {stage: count / total for stage, count in stages.most_common()}
    lines = [f"{share:6.1%}  {stage}" for stage, share in shares.items()]
    lines += ["", "in the function itself:"]
    lines += [f"{count / total:6.1%}  {leaf}" for leaf, count in leaves.most_common(SHOWN)]
    text = "\n".join([f"{total} samples, and {waiting} of threads that waited", *lines]) + "\n"
    return {"samples": total, "waiting": waiting, "stages": shares}, text


def _stage(frames: list[str]) -> str:
    for frame in reversed(frames):
        for stage, marks in STAGES:
            if any(mark in frame for mark in marks):
                return stage
    return "other"


def _short(frame: str) -> str:
    """``function (folder/file.py:line)``"""
    name, _, path = frame.partition(" (")
    return f"{name} ({'/'.join(path.split('/')[-2:])}"
