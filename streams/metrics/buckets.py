"""Buckets of the worker's histograms, and why they lie where they do."""

from __future__ import annotations

from typing import Final

# An ONNX call takes 50 µs for one user up to some 100 ms for a full batch on a slow CPU:
# two buckets per doubling where it usually is, so that a quantile is within 25%.
ONNX_SECONDS: Final = (
    0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007,
    0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip
# Users that went through one call together: powers of two, as cost grows with them.
BATCH_SIZES: Final = tuple(float(2**power) for power in range(14))
# From the broker's timestamp to sending: 5 ms is the least that two hops take, 1 s is what
# the alert asks for, and a recovery or a backlog shows up to an hour.
LATENCY_SECONDS: Final = (
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0,
    5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
)  # fmt: skip
# A whole batch: read, waves, changelog, vectors, acknowledgements.
BATCH_SECONDS: Final = (
    0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
