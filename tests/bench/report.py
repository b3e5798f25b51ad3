"""The report: ratios against their goals, the table, the JSON."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from tests.bench.race.setup import Figures

Parts = Mapping[str, Figures]


class NoRatioError(ValueError):
    """What was measured is too small to be divided."""


@dataclass(frozen=True)
class Goal:
    """A ratio and where it should be.

    Attributes:
        what: in words.
        bound: the goal.
        at_least: whether more is better.
        find: computes it from all parts; KeyError where a part wasn't run, NoRatioError where
            its figures give none.
    """

    what: str
    bound: float
    at_least: bool
    find: Callable[[Parts], float]

    def met(self, value: float) -> bool:
        """Whether a value is where it should be."""
        return value >= self.bound if self.at_least else value <= self.bound


def _ratio(above: float, below: float) -> float:
    """Costs and speeds are above zero; a difference of two that nearly agree may not be."""
    if above <= 0 or below <= 0:
        raise NoRatioError(f"{above:.3g} to {below:.3g} is no ratio: measure more")
    return float(above / below)


def _median(parts: Parts, part: str, contestant: str, figure: str) -> float:
    return float(parts[part][contestant][figure]["median"])


def _speed(other: str) -> Callable[[Parts], float]:
    """Events per second of ours against another's."""

    def find(parts: Parts) -> float:
        ours, theirs = (_median(parts, "throughput", n, "events_per_s") for n in ("ours", other))
        return _ratio(ours, theirs)

    return find


def _economy(other: str, part: str = "throughput") -> Callable[[Parts], float]:
    """Events per CPU second of ours against another's."""

    def find(parts: Parts) -> float:
        ours, theirs = (_median(parts, part, n, "cpu_us_per_event") for n in ("ours", other))
        return _ratio(theirs, ours)

    return find


def _latency(figure: str) -> Callable[[Parts], float]:
    """A figure of ours at 2,000 events a second against the loop's."""

    def find(parts: Parts) -> float:
        ours, loop = (parts["latency"][name]["2000"] for name in ("ours", "loop"))
        return _ratio(ours[figure]["median"], loop[figure]["median"])

    return find


def _history(parts: Parts) -> float:
    costs = [parts["history"][n]["cpu_us_per_event"]["median"] for n in ("10", "10000")]
    return _ratio(costs[1], costs[0])


def _recovery(parts: Parts) -> float:
    ours, faust = (parts["recovery"][name]["recovery_s"] for name in ("ours", "faust"))
    return _ratio(faust, ours)


def _two_workers(parts: Parts) -> float:
    one, two = (parts["workers"][n]["events_per_cpu_s"]["median"] for n in ("1", "2"))
    return _ratio(two, one)


def _whole_line(parts: Parts) -> float:
    figures = [parts["line"][n]["cpu_us_per_event"]["median"] for n in ("update-1", "line-3")]
    return _ratio(figures[0], figures[1])


GOALS: Final[dict[str, Goal]] = {
    "loop": Goal("events/s against the hand-written loop", 1.3, True, _speed("loop")),
    "loop_cpu": Goal("events per CPU second against the loop", 1.3, True, _economy("loop")),
    "loop_skewed": Goal("the same, users by rank^-1.1", 1.3, True, _economy("loop", "skewed")),
    "bytewax_partition": Goal(
        "events per CPU second against Bytewax by partition", 2, True, _economy("bytewax-partition")
    ),
    "bytewax_user": Goal("against Bytewax by user", 7, True, _economy("bytewax-user")),
    "quix": Goal("against Quix Streams", 14, True, _economy("quix")),
    "faust": Goal("against a stock Faust agent", 90, True, _economy("faust")),
    "cpu_at_2000": Goal("CPU at 2,000 events/s against the loop", 1.3, False, _latency("cores")),
    "p99_at_2000": Goal("p99 at 2,000 events/s against the loop", 1.2, False, _latency("p99_ms")),
    "history_10000": Goal("CPU per event after 10,000 events, to 10", 1.05, False, _history),
    "recovery_faust": Goal("recovery against stock Faust", 20, True, _recovery),
    "two_workers": Goal("two workers against one, by their CPU", 1.8, True, _two_workers),
    "whole_line": Goal("whole line, three targets, against update alone", 0.5, True, _whole_line),
}


def single_figures(parts: Parts) -> dict[str, float | None]:
    """Figures that stand on their own; None where they weren't measured."""
    rows, memory = parts.get("history"), parts.get("memory")
    beside = None if rows is None else float(rows["10000"]["bytes_beside_states"])
    resident = None if memory is None else float(memory["default"]["mb_per_100k_users"])
    return {"bytes_beside_state": beside, "mb_per_100k_users": resident}


SINGLE_GOALS: Final = {
    "bytes_beside_state": (1_000.0, "stored bytes of a user with a full window, beside its states"),
    "mb_per_100k_users": (150.0, "MB resident for 100,000 active users"),
}


def ratios(parts: Parts) -> dict[str, float | None]:
    """Every ratio; None where what it needs wasn't measured, or gives none."""
    found: dict[str, float | None] = {}
    for name, goal in GOALS.items():
        try:
            found[name] = goal.find(parts)
        except (KeyError, NoRatioError):
            found[name] = None
    return found


def ratio_spread(parts: Parts) -> dict[str, dict[str, float] | None]:
    """Low, median and high of each ratio over the rounds, each round's figures held together.

    A machine that is slower for a while is so for all that take turns, so this says more of a
    ratio's error than the ends of both figures do. None where there are no such rounds.
    """
    return {name: _over_rounds(goal, parts) for name, goal in GOALS.items()}


def _over_rounds(goal: Goal, parts: Parts) -> dict[str, float] | None:
    found: list[float] = []
    for number in itertools.count():
        try:
            found.append(goal.find(_of_round(parts, number)))
        except NoRatioError:
            return None
        except KeyError:
            break
    if not found:
        return None
    return {"low": min(found), "median": median(found), "high": max(found)}


def _of_round(found: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The figures as if this round had been the only one; what hadn't so many isn't in it."""
    runs = found.get("runs")
    if runs is not None:
        one = runs[number] if number < len(runs) else {}
        return {name: {"median": value} for name, value in one.items()}
    inner = {name: value for name, value in found.items() if isinstance(value, Mapping)}
    return {name: _of_round(value, number) for name, value in inner.items()}


def notes(parts: Parts) -> dict[str, str]:
    """Why a ratio is None though what it needs was measured."""
    found: dict[str, str] = {}
    for name, goal in GOALS.items():
        try:
            goal.find(parts)
        except NoRatioError as error:
            found[name] = str(error)
        except KeyError:
            continue
    return found


def table(report: Mapping[str, Any]) -> str:
    """What a person reads at the end."""
    parts = report["figures"]
    lines = [*_speed_lines(parts), *_latency_lines(parts), *_other_lines(parts)]
    return "\n".join([*lines, *_goal_lines(report)])


def _speed_lines(parts: Parts) -> list[str]:
    lines: list[str] = []
    titles = {
        "throughput": "one core, users by rank^-0.8",
        "skewed": "one core, users by rank^-1.1",
        "line": "our worker, one core",
    }
    for part, title in titles.items():
        if part not in parts:
            continue
        head = f"\n{title:36} {'events/s':>10} {'low':>9} {'high':>9} "
        lines.append(head + f"{'us CPU/event':>13} {'broker':>7} {'peak MiB':>9} {'start s':>8}")
        for figures in parts[part].values():
            speed = figures["events_per_s"]
            lines.append(
                f"{figures['title']:36} {speed['median']:10,.0f} {speed['low']:9,.0f} "
                f"{speed['high']:9,.0f} {figures['cpu_us_per_event']['median']:13.1f} "
                f"{figures['broker_us_per_event']['median']:7.1f} "
                f"{figures['peak_mib']['median']:9.0f} {figures['start_s']['median']:8.1f}"
            )
    return lines


def _latency_lines(parts: Parts) -> list[str]:
    if "latency" not in parts:
        return []
    head = f"{'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'cores':>6}"
    lines = [f"\n{'event to vector':14} {'events/s':>9} {head}"]
    for name, rates in parts["latency"].items():
        for rate, figures in rates.items():
            p50, p99, worst, cores = (
                figures[key]["median"] for key in ("p50_ms", "p99_ms", "max_ms", "cores")
            )
            lines.append(
                f"{name:14}  {int(rate):9,} {p50:8.1f} {p99:8.1f} {worst:8.1f} {cores:6.2f}"
            )
    return lines


def _other_lines(parts: Parts) -> list[str]:
    lines: list[str] = []
    for history, figures in parts.get("history", {}).items():
        lines.append(
            f"after {int(history):6,} events: {figures['cpu_us_per_event']['median']:6.1f} us CPU"
            f"/event, {figures['bytes']:,} bytes ({figures['bytes_beside_states']:,} beside states)"
        )
    for count, figures in parts.get("workers", {}).items():
        each, busiest = (
            figures[name]["median"] for name in ("events_per_cpu_s", "events_per_busiest_cpu_s")
        )
        lines.append(
            f"{count} workers: {each:,.0f} events in a CPU second of each, "
            f"{busiest:,.0f} in one of the busiest"
        )
    recovery = parts.get("recovery", {})
    lines += [
        f"{name}: start {recovery[name]['start_s']['median']:.1f} s, recovery of "
        f"{recovery['users']:,} users {recovery[name]['recovery_s']:.1f} s"
        for name in ("ours", "faust")
        if name in recovery
    ]
    return ["", *lines] if lines else []


def _goal_lines(report: Mapping[str, Any]) -> list[str]:
    lines = [f"\n{'figure':18} {'value':>8} {'rounds':>12} {'goal':>8}"]
    for name, value in report["ratios"].items():
        goal = GOALS[name]
        sign = ">=" if goal.at_least else "<="
        shown = "-" if value is None else f"{value:.2f}"
        ends = report["ratio_spread"][name]
        rounds = "" if ends is None else f"{ends['low']:.2f}-{ends['high']:.2f}"
        verdict = "" if value is None else ("met" if goal.met(value) else "missed")
        figure = f"{name:18} {shown:>8} {rounds:>12} {sign}{goal.bound:6g}"
        lines.append(f"{figure}  {verdict:7} {goal.what}")
    for name, (bound, what) in SINGLE_GOALS.items():
        value = report[name]
        shown = "-" if value is None else f"{value:,.0f}"
        verdict = "" if value is None else ("met" if value <= bound else "missed")
        lines.append(f"{name:18} {shown:>8} {'':12} <={bound:6g}  {verdict:7} {what}")
    return lines + [f"{name}: {note}" for name, note in notes(report["figures"]).items()]
