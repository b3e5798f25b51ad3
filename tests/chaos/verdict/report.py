"""What came out, as JSON and as a table for people."""

from __future__ import annotations

import platform
import statistics
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, Final

from deploy.kafka.jars import find_java, java_version
from tests.chaos.plan import Outcome
from tests.chaos.verdict.speed import SLOW_S, summary

PACKAGES: Final = (
    "interest-stream",
    "faust-streaming",
    "aiokafka",
    "mode-streaming",
    "rocksdict",
    "onnxruntime-gpu",
    "confluent-kafka",
)
KAFKA: Final = "4.1.0"


def figures(outcome: Outcome, session_s: float) -> dict[str, Any]:
    """The keys of one system."""
    # A worker that is still starting has no partitions, and its death holds nothing up.
    felt = [t for t in outcome.recoveries("worker_killed") if t]
    ratios = [round(t / session_s, 2) for t in felt]
    return {
        "faults": outcome.faults,
        "events": outcome.events,
        **outcome.verdict.numbers(),
        **summary(outcome.recoveries()),
        "kills_that_held_events_up": len(felt),
        "kill_recovery_over_session_timeout_median": statistics.median(ratios) if ratios else None,
        "kill_recovery_over_session_timeout_max": max(ratios, default=None),
        "recovery_by_kind": {kind: summary(outcome.recoveries(kind)) for kind in outcome.faults},
        "not_back_in_time": sum(s.stuck for s in outcome.struck),
        "struck_before_full_speed": sum(s.slow for s in outcome.struck),
        "did_not_strike": [f"{s.kind}: {s.error}" for s in outcome.struck if s.error],
        "ended_by_themselves": _reasons(outcome),
        "uncommitted_at_the_end": outcome.undrained,
        "seconds": round(outcome.seconds, 1),
        "examples": outcome.verdict.examples,
    }


def _reasons(outcome: Outcome) -> dict[str, int]:
    counts = Counter(f"exit {e.code}: {e.why}" for e in outcome.ended)
    return dict(counts.most_common(12))


def good(outcome: Outcome) -> bool:
    """Everything equal to the reference, and nothing had to be ended by hand."""
    stuck = any(s.stuck or s.error for s in outcome.struck)
    return outcome.verdict.good and not stuck and not outcome.undrained


def versions() -> dict[str, str]:
    """What ran."""
    found = {name: metadata.version(name) for name in PACKAGES if _installed(name)}
    text = subprocess.run([find_java(), "-version"], capture_output=True, text=True, check=False)
    return {
        "python": platform.python_version(),
        "java": str(java_version(text.stderr + text.stdout)),
        "kafka": KAFKA,
        **found,
    }


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def table(columns: Mapping[str, Mapping[str, Any]], session_s: float) -> str:
    """Figures side by side, for a terminal."""
    rows: list[tuple[str, Callable[[Mapping[str, Any]], Any]]] = [
        ("faults", lambda f: sum(f["faults"].values())),
        ("events sent", lambda f: f"{f['events']:,}"),
        ("lost", lambda f: f["lost"]),
        ("counted twice", lambda f: f["counted_twice"]),
        ("users with a wrong state", lambda f: f["wrong_states"]),
        ("ids with a wrong last vector", lambda f: f["wrong_final_vectors"]),
        ("dead letters missing or wrong", lambda f: f["wrong_dead_letters"]),
        ("not back by itself", lambda f: f["not_back_in_time"]),
        ("back to full speed, median", lambda f: _seconds(f["recovery_median_s"])),
        ("back to full speed, longest", lambda f: _seconds(f["recovery_max_s"])),
        (
            "after a kill / session time-out",
            lambda f: f["kill_recovery_over_session_timeout_median"],
        ),
        ("  kills that this is of", _kills),
    ]
    head = f"{'':34}" + "".join(f"{name:>18}" for name in columns)
    lines = [head]
    for name, get in rows:
        lines.append(f"{name:34}" + "".join(f"{_text(get(f)):>18}" for f in columns.values()))
    lines += ["", f"{'median, by kind of fault':34}"]
    kinds = sorted({kind for f in columns.values() for kind in f["faults"]})
    for kind in kinds:
        cells = (_of_kind(f, kind) for f in columns.values())
        lines.append(f"  {kind:32}" + "".join(f"{cell:>18}" for cell in cells))
    lines += [
        "",
        f"Full speed: no event waits longer than {SLOW_S:g} s for the vector that has it.",
        f"The session time-out is {session_s:g} s.",
        "After a kill: of those that held events up. The others hit a worker that had no",
        "partitions yet, or weren't over when the next fault struck.",
    ]
    return "\n".join(lines)


def _kills(figures: Mapping[str, Any]) -> str:
    kills = figures["faults"].get("worker_killed", 0)
    return f"{figures['kills_that_held_events_up']} of {kills}"


def _of_kind(figures: Mapping[str, Any], kind: str) -> str:
    count = figures["faults"].get(kind, 0)
    if not count:
        return "-"
    return f"{_seconds(figures['recovery_by_kind'][kind]['recovery_median_s'])} ({count} x)"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
