"""A Prometheus histogram that takes a whole batch of observations at the cost of one.

``prometheus_client.Histogram.observe`` costs about a microsecond for each value; a batch of
vectors has thousands. This collector counts a batch with numpy and exports the same format.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

FEW: Final = 16
"""Up to so many observations are counted one by one; numpy's calls cost more."""


class BatchHistogram(Collector):
    """A histogram, optionally with labels, for arrays of observations.

    Args:
        name: metric name, in base units.
        documentation: help text.
        buckets: upper bounds, ascending, without +Inf.
        labels: label names.
        registry: where it registers itself; None: nowhere.

    Raises:
        ValueError: the buckets aren't ascending and finite.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        buckets: Sequence[float],
        labels: Sequence[str] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        bounds = np.asarray(buckets, np.float64)
        if not (np.isfinite(bounds).all() and (np.diff(bounds) > 0).all()):
            raise ValueError(f"buckets of {name} aren't ascending and finite: {list(buckets)}")
        self.name = name
        self.documentation = documentation
        self.bounds = bounds
        self._limits: list[float] = bounds.tolist()
        self.label_names = tuple(labels)
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], tuple[NDArray[np.int64], list[float]]] = {}
        if not labels:
            self._series[()] = self._empty()
        if registry is not None:
            registry.register(self)

    def observe(self, value: float, *labels: str) -> None:
        """Count one observation under the label values."""
        self.observe_many([value], *labels)

    def observe_many(self, values: ArrayLike, *labels: str) -> None:
        """Count an array of observations under the same label values; not a number: left out.

        Raises:
            ValueError: the number of label values isn't that of the label names.
        """
        if len(labels) != len(self.label_names):
            raise ValueError(f"{self.name} has the labels {self.label_names}, got {labels}")
        if isinstance(values, list) and len(values) <= FEW:
            self._observe_few(values, labels)
            return
        numbers = np.asarray(values, np.float64).ravel()
        numbers = numbers[~np.isnan(numbers)]
        positions = np.searchsorted(self.bounds, numbers, side="left")
        counts = np.bincount(positions, minlength=len(self.bounds) + 1)
        with self._lock:
            series = self._series.setdefault(labels, self._empty())
            series[0][:] += counts
            series[1][0] += float(numbers.sum())

    def _observe_few(self, values: Sequence[float], labels: tuple[str, ...]) -> None:
        counted = [(bisect_left(self._limits, value), value) for value in values if value == value]
        with self._lock:
            series = self._series.setdefault(labels, self._empty())
            for position, value in counted:
                series[0][position] += 1
                series[1][0] += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family as Prometheus scrapes it: cumulative buckets, count and sum."""
        family = HistogramMetricFamily(self.name, self.documentation, labels=self.label_names)
        bounds = [*map(repr, self.bounds.tolist()), "+Inf"]
        with self._lock:
            taken = [(k, counts.cumsum().tolist(), s[0]) for k, (counts, s) in self._series.items()]
        for labels, cumulative, total in taken:
            family.add_metric(labels, list(zip(bounds, cumulative, strict=True)), total)
        yield family

    def _empty(self) -> tuple[NDArray[np.int64], list[Any]]:
        return np.zeros(len(self.bounds) + 1, np.int64), [0.0]
