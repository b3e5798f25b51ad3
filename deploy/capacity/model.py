"""What so many people need: ``python -m deploy.capacity --users 50e6`` (docs/scale.md).

Every constant of the service is a measurement of ``make bench``, read from a report
(``docs/bench.json``); what isn't measured (habits of people, prices) is an argument.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from deploy.capacity.skew import hottest_partition, hottest_user
from streams.settings.sections import service

REPORT: Final = Path(__file__).resolve().parents[2] / "docs" / "bench.json"
DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S
GB: Final = 1e9
SOURCE_BYTES: Final = 250
"""An event as a platform sends it, with Kafka's own bytes."""
LOG_BYTES: Final = 130
VECTOR_OVERHEAD: Final = 190
"""A vector message beside its numbers: ids, bundle, shares, times, headers."""


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


@dataclass(frozen=True)
class Service:
    """Who uses it and how it is set up.

    Attributes:
        users: people that it knows.
        active: part of them that does something in a day.
        events: events of an active person in a day.
        peak: busiest second against the mean.
        platforms: platforms; each gets a vector of everybody who changes.
        replicas: copies of every topic.
        busy: how far cores are loaded at the peak.
        retention_days: of the platforms' topics and the log.
        vector_dim: numbers of a vector.
        users_in_memory: as in the settings.
        skew: users are as busy as rank^-skew.
        workers: workers; None: as many as the peak needs.
        partitions: of the log; None: twice as many as workers, at least 8.
    """

    users: float
    active: float = 0.2
    events: float = 20
    peak: float = 4
    platforms: int = 3
    replicas: int = 3
    busy: float = 0.6
    retention_days: float = 7
    vector_dim: int = 128
    users_in_memory: int = service.Service.model_fields["users_in_memory"].default
    skew: float = 0.8
    workers: int | None = None
    partitions: int | None = None

    @property
    def mean_rate(self) -> float:
        """Events a second, over the day."""
        return self.users * self.active * self.events / DAY_S

    @property
    def peak_rate(self) -> float:
        """Events in the busiest second."""
        return self.mean_rate * self.peak


@dataclass(frozen=True)
class Prices:
    """Dollars a month: assumptions, near the list prices of large clouds."""

    core: float = 25.0
    memory_gb: float = 3.0
    disk_gb: float = 0.10


@dataclass(frozen=True)
class Limit:
    """Something that ends growth.

    Attributes:
        what: in words.
        load: part of what is possible at the peak; above 1 it breaks.
        remedy: what to do then.
    """

    what: str
    load: float
    remedy: str


@dataclass(frozen=True)
class Plan:
    """What a service needs; sizes in GB, traffic in MB/s at the peak."""

    service: Service
    workers: int
    partitions: int
    cores: float
    worker_memory_gb: float
    worker_disk_gb: float
    broker_cores: float
    broker_in_mbs: float
    broker_out_mbs: float
    broker_disk_gb: float
    recovery_s: float
    catch_up_s: float
    dollars: float
    limits: tuple[Limit, ...]

    @property
    def dollars_per_million(self) -> float:
        """Dollars a month for a million users."""
        return self.dollars / (self.service.users / 1e6)


def plan(service: Service, measured: Measured, prices: Prices | None = None) -> Plan:
    """Size a service."""
    event_us = event_cost(service, measured)
    cores = service.peak_rate * event_us / 1e6 / service.busy
    workers = service.workers or max(2, math.ceil(cores))
    partitions = service.partitions or 1 << max(3, math.ceil(math.log2(2 * workers)))
    into, out = broker_bytes(service, measured)
    broker_cores = service.peak_rate * measured.broker_us * service.replicas / 1e6 / service.busy
    in_memory = min(service.users / workers, service.users_in_memory)
    memory = (measured.base_mb + measured.user_mb * in_memory / 1e5) / 1e3
    disk = service.users / workers * measured.store_bytes * 1.5 / GB
    recovery = service.users / workers * measured.recover_us / 1e6
    spare = max(1e-9, workers * 1e6 / event_us - service.mean_rate)
    found = Plan(
        service=service,
        workers=workers,
        partitions=partitions,
        cores=cores,
        worker_memory_gb=memory,
        worker_disk_gb=disk,
        broker_cores=broker_cores,
        broker_in_mbs=service.peak_rate * into * service.replicas / 1e6,
        broker_out_mbs=service.peak_rate * out / 1e6,
        broker_disk_gb=broker_disk(service, measured) / GB,
        recovery_s=recovery,
        catch_up_s=service.mean_rate * recovery / spare,
        dollars=0.0,
        limits=(),
    )
    dollars = cost(found, prices or Prices())
    return replace(found, dollars=dollars, limits=limits(found, event_us, measured))


def event_cost(service: Service, measured: Measured) -> float:
    """CPU microseconds of a worker for one event, from the platform's topic to all vectors."""
    further = (service.platforms - 1) * measured.target_us
    return measured.intake_us + measured.update_us + further


def vector_bytes(service: Service) -> float:
    """Bytes of a vector message."""
    return 2 * service.vector_dim + VECTOR_OVERHEAD


def broker_bytes(service: Service, measured: Measured) -> tuple[float, float]:
    """Bytes into the broker (once, without replicas) and out of it for one event."""
    vectors = service.platforms * vector_bytes(service)
    into = SOURCE_BYTES + LOG_BYTES + measured.row_bytes + vectors
    return into, SOURCE_BYTES + LOG_BYTES + vectors


def broker_disk(service: Service, measured: Measured) -> float:
    """Bytes on all brokers: events for their retention, states and vectors half as much again."""
    kept = service.mean_rate * service.retention_days * DAY_S * (SOURCE_BYTES + LOG_BYTES)
    compacted = measured.row_bytes + service.platforms * vector_bytes(service)
    return service.replicas * (kept + 1.5 * service.users * compacted)


def cost(found: Plan, prices: Prices) -> float:
    """Dollars a month: workers' cores, memory and disks, brokers' cores and disks."""
    cores = max(found.workers, found.cores) + max(found.service.replicas, found.broker_cores)
    memory = found.workers * found.worker_memory_gb + 4.0 * found.service.replicas
    disk = found.workers * found.worker_disk_gb + found.broker_disk_gb
    return cores * prices.core + memory * prices.memory_gb + disk * prices.disk_gb


def limits(found: Plan, event_us: float, measured: Measured) -> tuple[Limit, ...]:
    """What ends growth, the nearest first."""
    service = found.service
    core = 1e6 / event_us
    partition = hottest_partition(service.users, found.partitions, service.skew)
    user = hottest_user(service.users, service.skew)
    found_limits = [
        Limit(
            "the hottest partition fills a core",
            service.peak_rate * partition / core,
            "more partitions from the start: their number is fixed for the life of the log",
        ),
        Limit(
            "the busiest user's events, one after the other",
            service.peak_rate * user * measured.one_step_us / 1e6,
            "limit what one id may send before it comes here: it's a bot or a shared account",
        ),
        Limit(
            "more workers than partitions",
            found.cores / found.partitions,
            "a log with more partitions, under another service name",
        ),
        Limit(
            "recovery of an empty disk, against 10 minutes",
            found.recovery_s / 600,
            "more workers, or disks that outlive their worker",
        ),
        Limit(
            "a worker's disk, against 1 TB",
            found.worker_disk_gb / 1000,
            "more workers",
        ),
        Limit(
            "bytes into the brokers, against 100 MB/s for each of three",
            found.broker_in_mbs / 300,
            "more brokers; compression of the changelog",
        ),
    ]
    return tuple(sorted(found_limits, key=lambda limit: -limit.load))


def table(plans: Sequence[Plan]) -> str:
    """Markdown: a column for each plan."""
    rows: list[tuple[str, list[str]]] = [
        ("users", [_count(p.service.users) for p in plans]),
        ("events/s, mean and peak", [_rates(p.service) for p in plans]),
        ("workers' cores at the peak", [f"{p.cores:,.1f}" for p in plans]),
        ("workers (at least 2)", [f"{p.workers:,}" for p in plans]),
        ("partitions of the log", [f"{p.partitions:,}" for p in plans]),
        ("memory of a worker", [f"{p.worker_memory_gb:,.2f} GB" for p in plans]),
        ("disk of a worker", [f"{p.worker_disk_gb:,.1f} GB" for p in plans]),
        ("brokers' cores", [f"{p.broker_cores:,.1f}" for p in plans]),
        ("into the brokers, replicas counted", [f"{p.broker_in_mbs:,.1f} MB/s" for p in plans]),
        ("out of them to readers", [f"{p.broker_out_mbs:,.1f} MB/s" for p in plans]),
        ("brokers' disks", [f"{p.broker_disk_gb:,.0f} GB" for p in plans]),
        ("recovery, all disks empty", [f"{p.recovery_s:,.0f} s" for p in plans]),
        ("then level with the log after", [f"{p.catch_up_s:,.0f} s" for p in plans]),
        ("dollars a month", [f"{p.dollars:,.0f}" for p in plans]),
        ("for a million users", [f"{p.dollars_per_million:,.2f}" for p in plans]),
        ("nearest limit", [f"{p.limits[0].what}: {p.limits[0].load:.0%}" for p in plans]),
    ]
    head, *body = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join([head, "| --- |" + " ---: |" * len(plans), *body])


def _count(users: float) -> str:
    return f"{users / 1e6:g} million"


def _rates(service: Service) -> str:
    return f"{service.mean_rate:,.0f}, {service.peak_rate:,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan of one service, and its limits."""
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description=__doc__)
    parser.add_argument("--report", type=Path, default=REPORT, help="of make bench")
    for name, default in vars(Service(users=1e6)).items():
        kind = float if isinstance(default, float) else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="only make a page's tables anew")
    args = vars(parser.parse_args(arguments))
    report = json.loads(args.pop("report").read_text())
    page = args.pop("write")
    if page is not None:
        from deploy.capacity.page import write_page  # it needs this module

        write_page(page, report)
        return 0
    measured = Measured.of(report)
    found = plan(Service(**args), measured)
    sys.stdout.write(table([found]) + "\n\n")
    for limit in found.limits:
        sys.stdout.write(f"{limit.load:6.0%}  {limit.what}; then: {limit.remedy}\n")
    return 0
