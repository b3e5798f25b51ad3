"""Make Prometheus metrics, and keep the list that the reference is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from streams.metrics.histogram import BatchHistogram


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric, as the reference lists it."""

    name: str
    type: str
    labels: tuple[str, ...]
    documentation: str


class Registered:
    """Metrics that live in one registry, each with its entry in the reference.

    Args:
        registry: where they live; None makes one.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        # One more series for each counter, which nothing here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._entries: list[Entry] = []

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        self._entries.append(Entry(name, "counter", labels, documentation))
        return Counter(name, documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        self._entries.append(Entry(name, "gauge", labels, documentation))
        return Gauge(name, documentation, labels, registry=self.registry)

    def _histogram(
        self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str
    ) -> BatchHistogram:
        self._entries.append(Entry(name, "histogram", labels, documentation))
        return BatchHistogram(name, documentation, buckets, labels, self.registry)

    def exposition(self) -> bytes:
        """What ``/metrics`` answers, in the Prometheus text format 0.0.4."""
        return generate_latest(self.registry)

    def reference(self) -> list[Entry]:
        """Name, type, labels and help of each ``interest_*`` metric, in order of name."""
        return sorted(self._entries, key=lambda entry: entry.name)


def add(counter: Counter, counts: Mapping[tuple[str, ...] | str, int]) -> None:
    """Add a batch's counts by label values, e.g. from a ``collections.Counter``."""
    for labels, count in counts.items():
        values = (labels,) if isinstance(labels, str) else labels
        counter.labels(*values).inc(count)
