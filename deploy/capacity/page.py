"""The tables of docs/scale.md, from a report of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from deploy.capacity.measured import Measured
from deploy.capacity.plan import Plan, Service, plan
from deploy.capacity.skew import hottest_partition, hottest_user
from deploy.capacity.table import table

EXAMPLES: Final = (1e6, 1e7, 5e7, 1e8, 5e8)
WORTH_SAYING: Final = 0.05
SKEWS: Final = (0.8, 1.0, 1.1, 1.2, 1.3)
SKEW_USERS: Final = 10_000_000
SKEW_PARTITIONS: Final = (8, 64)


def write_page(page: Path, report: Mapping[str, Any]) -> None:
    """Replace the tables between their marks."""
    page.write_text(render(page.read_text(), report))


def render(text: str, report: Mapping[str, Any]) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: a mark is missing.
    """
    measured = Measured.of(report)
    parts = report["figures"]
    plans = [plan(Service(users=users), measured) for users in EXAMPLES]
    tables = {
        "constants": constants(measured, report),
        "examples": table(plans),
        "limits": limits(plans),
        "skew": skew(parts["skews"]),
        "partitions": partitions(parts["partitions"]),
    }
    for name, made in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"the page has no marks {begin.strip()} and {end}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{made}\n{end}{rest.partition(end)[2]}"
    return text


def constants(measured: Measured, report: Mapping[str, Any]) -> str:
    """Constants, and where they're from."""
    machine = report["machine"]
    said = (
        f"Measured {report['measured'][:10]} on {machine['cpu']} ({machine['cores']} cores, one of "
        f"them the worker's, {machine['memory_mib'] / 1024:.0f} GiB; load at the start "
        f"{machine['load_before']:g}):"
    )
    if note := report.get("note"):
        said = f"**{note}**\n\n{said}"
    rows = [[field.name, f"{getattr(measured, field.name):,.1f}"] for field in fields(measured)]
    return f"{said}\n\n{markdown(['constant', 'value'], rows)}"


def limits(plans: Sequence[Plan]) -> str:
    """The limits that are nearest at each size."""
    rows = []
    for found in plans:
        near = [limit for limit in found.limits[:2] if limit.load >= WORTH_SAYING]
        what = "; ".join(f"{limit.what}: {limit.load:.0%}" for limit in near)
        remedy = "; ".join(limit.remedy for limit in near)
        users = f"{found.service.users / 1e6:g} million"
        rows.append([users, what or "nothing", remedy])
    head = "| users | nearest limits, part of them used | then |\n| --- | --- | --- |\n"
    return head + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def skew(measured: Mapping[str, Any]) -> str:
    """Shares by simulation, cost by measurement."""
    head = ["s", f"busiest of {SKEW_USERS / 1e6:g} million"]
    head += [f"hottest of {n} partitions (even: {1 / n:.1%})" for n in SKEW_PARTITIONS]
    head += ["busiest of 5,000", "CPU µs/event then"]
    rows = []
    for s in SKEWS:
        hottest = [hottest_partition(SKEW_USERS, n, s) for n in SKEW_PARTITIONS]
        cost = measured[f"{s:g}"]["cpu_us_per_event"]["median"]
        shares = [hottest_user(SKEW_USERS, s), *hottest, hottest_user(5_000, s)]
        rows.append([f"{s:g}", *(f"{share:.2%}" for share in shares), f"{cost:.1f}"])
    return markdown(head, rows)


def partitions(measured: Mapping[str, Any]) -> str:
    """One worker with all partitions of a log."""
    rows = [
        [
            count,
            f"{found['cpu_us_per_event']['median']:.1f}",
            f"{found['peak_mib']['median']:,.0f}",
            f"{found['start_s']['median']:.1f}",
        ]
        for count, found in measured.items()
    ]
    return markdown(["partitions of one worker", "CPU µs/event", "peak MiB", "start s"], rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose numbers are on the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
