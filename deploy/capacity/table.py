"""Plans as a table."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.capacity.plan import Plan, Service


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
