"""Packed messages are, to the byte, what msgspec makes of the schema."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.publish.numbers import packed_vectors, rounded, share_maps
from streams.publish.pack import Packer
from streams.subscribe.schema import InterestUpdate
from tests.unit.streams.vectors import vector_batch

NOW = 1_700_000_000_000
names = st.text(min_size=1, max_size=40) | st.text("x", min_size=200, max_size=300)


@given(st.lists(st.tuples(names, names), min_size=1, max_size=12), st.integers(1, 20),
       st.integers(1, 300), st.integers(0, 1 << 32))  # fmt: skip
def test_the_bytes_are_msgspecs(
    who: list[tuple[str, str]], width: int, vector: int, seed: int
) -> None:
    rng, n = np.random.default_rng(seed), len(who)
    platforms = [f"platform-{k}" for k in range(width)]
    counts = rng.integers(0, 3, (n, width)) * rng.integers(0, 3000, (n, width))
    counts[:, 0] += 1
    shares = rounded(platforms, counts / counts.sum(axis=1, keepdims=True))
    half = rng.standard_normal((n, vector)).astype("<f2")
    as_of = NOW + rng.integers(-(1 << 40), 1 << 40, n)
    events = rng.choice([1, 127, 128, 255, 256, 2047, 2048, 65536, 1 << 32, 1 << 40], n)
    ids, users = [list(column) for column in zip(*who, strict=True)]
    batch = vector_batch(
        ids, half, shares, users=users, as_of_ms=as_of, events=events, source_ms=as_of - 5
    )
    found = Packer("b-1", platforms).pack("shop", batch, shares, half, NOW)
    columns = (ids, users, as_of.tolist(), events.tolist(), share_maps(platforms, shares))
    for value, id, user, when, count, sources, raw in zip(
        found or [], *columns, packed_vectors(half), strict=True
    ):
        update = InterestUpdate(
            id, "shop", user, when, "b-1", count, sources, raw, NOW, when - 5
        )  # fmt: skip
        assert value == msgspec.msgpack.encode(update)


def test_a_time_near_1970_is_left_to_the_schema() -> None:
    one = np.array([NOW])
    for as_of, event_ts in ((one, one * 0), (one * 0 + 5, one)):
        half, shares = np.ones((1, 2), "<f2"), np.ones((1, 1))
        batch = vector_batch(["a"], half, shares, as_of_ms=as_of, events=one, source_ms=event_ts)
        assert Packer("b", ["p"]).pack("p", batch, shares, half, NOW) is None
