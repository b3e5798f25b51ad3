"""Declare Prometheus metrics, make them, and list them as the reference is written from.

A class of metrics has a line for each: ``records = counter("name_total", "Help.", "label")``. Its
instances, made of :class:`Registered`, have the metric itself under that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from prometheus_client import Counter, Gauge, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from streams.metrics.histogram import BatchHistogram


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric, as it is declared and as the reference lists it."""

    name: str
    type: str
    labels: tuple[str, ...]
    documentation: str
    buckets: tuple[float, ...] = ()

    def make(self, registry: CollectorRegistry) -> Counter | Gauge | BatchHistogram:
        """The metric, registered."""
        if self.type == "histogram":
            return BatchHistogram(
                self.name, self.documentation, self.buckets, self.labels, registry
            )
        kind = Counter if self.type == "counter" else Gauge
        return kind(self.name, self.documentation, self.labels, registry=registry)


def counter(name: str, documentation: str, *labels: str) -> Counter:
    """Declare a counter."""
    return cast(Counter, Entry(name, "counter", labels, documentation))


def gauge(name: str, documentation: str, *labels: str) -> Gauge:
    """Declare a gauge."""
    return cast(Gauge, Entry(name, "gauge", labels, documentation))


def histogram(
    name: str, documentation: str, buckets: tuple[float, ...], *labels: str
) -> BatchHistogram:
    """Declare a histogram."""
    return cast(BatchHistogram, Entry(name, "histogram", labels, documentation, buckets))


class Registered:
    """Metrics that live in one registry: all that the classes of this object declare.

    Args:
        registry: where they live; None makes one.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        # One more series for each counter, which nothing here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        declared: list[tuple[str, Any]] = [
            pair for group in type(self).__mro__ for pair in vars(group).items()
        ]
        self._entries = {name: entry for name, entry in declared if isinstance(entry, Entry)}
        for name, entry in self._entries.items():
            setattr(self, name, entry.make(self.registry))

    def exposition(self) -> bytes:
        """What ``/metrics`` answers, in the Prometheus text format 0.0.4."""
        return generate_latest(self.registry)

    def reference(self) -> list[Entry]:
        """Name, type, labels and help of each ``interest_*`` metric, in order of name."""
        return sorted(self._entries.values(), key=lambda entry: entry.name)


Labels = TypeVar("Labels", bound=tuple[str, ...] | str)


def add(counter: Counter, counts: Mapping[Labels, int]) -> None:
    """Add a batch's counts by label values, e.g. from a ``collections.Counter``."""
    for labels, count in counts.items():
        values = (labels,) if isinstance(labels, str) else labels
        counter.labels(*values).inc(count)
