"""The batch histogram exports what prometheus_client's own would have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from streams.metrics.histogram import BatchHistogram

BUCKETS = (0.005, 0.1, 1.0, 10.0)
numbers = st.lists(st.floats(min_value=0, max_value=100) | st.sampled_from(BUCKETS), max_size=20)


def lines(registry: CollectorRegistry) -> list[str]:
    return [
        line for line in generate_latest(registry).decode().splitlines() if "_created" not in line
    ]


@given(st.lists(numbers, max_size=4))
def test_it_exports_the_same_text_as_the_stock_histogram(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch = BatchHistogram("x_seconds", "Help.", BUCKETS, registry=ours)
    stock = Histogram("x_seconds", "Help.", buckets=BUCKETS, registry=theirs)
    for values in batches:
        batch.observe_many(values)
        for value in values:
            stock.observe(value)
    # Sums are added up in another order.
    assert [x for x in lines(ours) if "_sum" not in x] == [
        x for x in lines(theirs) if "_sum" not in x
    ]
    total = sum(sum(values) for values in batches)
    assert ours.get_sample_value("x_seconds_sum") == pytest.approx(total)


def test_labels_have_series_of_their_own() -> None:
    registry = CollectorRegistry()
    histogram = BatchHistogram("x_seconds", "Help.", BUCKETS, ("graph",), registry)
    histogram.observe(0.05, "step")
    histogram.observe_many([0.05, 20, float("nan")], "migrate")
    assert registry.get_sample_value("x_seconds_count", {"graph": "step"}) == 1
    assert registry.get_sample_value("x_seconds_bucket", {"graph": "migrate", "le": "0.1"}) == 1
    assert registry.get_sample_value("x_seconds_bucket", {"graph": "migrate", "le": "+Inf"}) == 2
    with pytest.raises(ValueError, match=r"x_seconds has the labels \('graph',\), got \(\)"):
        histogram.observe(1.0)


@pytest.mark.parametrize("buckets", [(1.0, 1.0), (2.0, 1.0), (1.0, float("inf"))])
def test_buckets_must_ascend(buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="x_seconds"):
        BatchHistogram("x_seconds", "Help.", buckets)
