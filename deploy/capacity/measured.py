"""What one core does, read from a report of ``make bench`` (docs/bench.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.capacity.skew import hottest_user


@dataclass(frozen=True)
class Measured:
    """What one core does, from a report of the benchmark.

    Attributes:
        update_us: CPU of an event whose user isn't in memory, with one target.
        target_us: CPU of each further vector.
        intake_us: CPU from a platform's record to the log.
        broker_us: CPU of the broker for such an event.
        row_bytes: a stored user with a full window.
        store_bytes: the same on the worker's disk.
        recover_us: CPU for each user that is recovered, which is its time on a core of its own.
        base_mb: resident memory of a worker with 10,000 active users.
        user_mb: resident memory of 100,000 users more that are all kept in memory.
        one_step_us: one ONNX call for a single user, with what surrounds it.
    """

    update_us: float
    target_us: float
    intake_us: float
    broker_us: float
    row_bytes: float
    store_bytes: float
    recover_us: float
    base_mb: float
    user_mb: float
    one_step_us: float

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Measured:
        """From a report of ``make bench`` (all parts).

        Raises:
            KeyError: a part is missing.
        """
        parts = report["figures"]
        memory, line, recovery = parts["memory"]["default"], parts["line"], parts["recovery"]
        one, three, whole = (_cpu(line[name]) for name in ("update-1", "update-3", "line-3"))
        vectors = float(line["update-3"]["vectors_per_event"]["median"])
        return cls(
            update_us=memory["cpu_us_per_event"],
            target_us=max(0.0, three - one) / 2 / vectors,
            intake_us=max(0.0, whole - three),
            broker_us=memory["broker_us_per_event"],
            row_bytes=parts["history"]["1000"]["bytes"],
            store_bytes=recovery["ours"]["store_bytes_per_user"],
            recover_us=recovery["ours"]["cpu_s"] * 1e6 / recovery["users"],
            base_mb=memory["few_mib"] * 1.048576,
            user_mb=parts["memory"]["all_in_memory"]["mb_per_100k_users"],
            one_step_us=_one_step(parts["skews"]),
        )


def _cpu(figures: Mapping[str, Any]) -> float:
    return float(figures["cpu_us_per_event"]["median"])


def _one_step(skews: Mapping[str, Any]) -> float:
    """At rank^-1.3 nearly all steps are the busiest user's: one call each."""
    share = hottest_user(5_000, 1.3)
    mild, wild = _cpu(skews["0.8"]), _cpu(skews["1.3"])
    return (wild - mild * (1 - share)) / share
