"""The report: ratios against their goals, the table, the JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.setup import Figures

Parts = Mapping[str, Figures]


@dataclass(frozen=True)
class Goal:
    """A ratio and where it should be.

    Attributes:
        what: in words.
        bound: the goal.
        at_least: whether more is better.
        find: computes it from all parts; KeyError where a part wasn't run.
    """

    what: str
    bound: float
    at_least: bool
    find: Callable[[Parts], float]

    def met(self, value: float) -> bool:
        """Whether a value is where it should be."""
        return value >= self.bound if self.at_least else value <= self.bound


def _median(parts: Parts, part: str, contestant: str, figure: str) -> float:
    return float(parts[part][contestant][figure]["median"])


def _speed(other: str) -> Callable[[Parts], float]:
    """Events per second of ours against another's."""

    def find(parts: Parts) -> float:
        ours, theirs = (_median(parts, "throughput", n, "events_per_s") for n in ("ours", other))
        return ours / theirs

    return find


def _economy(other: str, part: str = "throughput") -> Callable[[Parts], float]:
    """Events per CPU second of ours against another's."""

    def find(parts: Parts) -> float:
        ours, theirs = (_median(parts, part, n, "cpu_us_per_event") for n in ("ours", other))
        return theirs / ours

    return find


GOALS: Final[dict[str, Goal]] = {
    "loop": Goal("events/s against the hand-written loop", 1.3, True, _speed("loop")),
    "loop_cpu": Goal("events per CPU second against the loop", 1.3, True, _economy("loop")),
    "loop_skewed": Goal("the same, users by rank^-1.1", 1.3, True, _economy("loop", "skewed")),
}


def ratios(parts: Parts) -> dict[str, float | None]:
    """Every ratio; None where what it needs wasn't measured."""
    found: dict[str, float | None] = {}
    for name, goal in GOALS.items():
        try:
            found[name] = goal.find(parts)
        except KeyError:
            found[name] = None
    return found


def table(report: Mapping[str, Any]) -> str:
    """What a person reads at the end."""
    lines = [*_throughput_lines(report["figures"]), *_goal_lines(report["ratios"])]
    return "\n".join(lines)


def _throughput_lines(parts: Parts) -> list[str]:
    lines: list[str] = []
    for part, title in (("throughput", "users by rank^-0.8"), ("skewed", "users by rank^-1.1")):
        if part not in parts:
            continue
        head = f"\n{'one core, ' + title:34} {'events/s':>10} {'low':>9} {'high':>9} "
        lines.append(head + f"{'us CPU/event':>13} {'broker':>7} {'peak MiB':>9} {'start s':>8}")
        for figures in parts[part].values():
            speed = figures["events_per_s"]
            lines.append(
                f"{figures['title']:34} {speed['median']:10,.0f} {speed['low']:9,.0f} "
                f"{speed['high']:9,.0f} {figures['cpu_us_per_event']['median']:13.1f} "
                f"{figures['broker_us_per_event']['median']:7.1f} "
                f"{figures['peak_mib']['median']:9.0f} {figures['start_s']['median']:8.1f}"
            )
    return lines


def _goal_lines(found: Mapping[str, float | None]) -> list[str]:
    lines = [f"\n{'ratio':18} {'value':>8} {'goal':>8}"]
    for name, value in found.items():
        goal = GOALS[name]
        sign = ">=" if goal.at_least else "<="
        shown = "-" if value is None else f"{value:.2f}"
        verdict = "" if value is None else ("met" if goal.met(value) else "missed")
        lines.append(f"{name:18} {shown:>8} {sign}{goal.bound:6g}  {verdict:7} {goal.what}")
    return lines
