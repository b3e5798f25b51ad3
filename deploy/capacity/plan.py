"""What a service of so many people needs, what it costs, and what ends its growth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from deploy.capacity.measured import Measured
from deploy.capacity.skew import hottest_partition, hottest_user
from streams.settings.sections import service

DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S
GB: Final = 1e9
SOURCE_BYTES: Final = 250
"""An event as a platform sends it, with Kafka's own bytes."""
LOG_BYTES: Final = 130
VECTOR_OVERHEAD: Final = 190
"""A vector message beside its numbers: ids, bundle, shares, times, headers."""


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
