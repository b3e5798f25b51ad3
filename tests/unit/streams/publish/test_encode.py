"""What the encoder writes, the schema reads; errors name the field, the value, the remedy."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.labels import Labels
from streams.errors import PublishError, RecordError
from streams.publish.encode import VectorEncoder
from streams.publish.numbers import plain_vectors
from streams.subscribe.schema import (
    Encoding,
    InterestUpdate,
    decode,
    headers,
    is_shared,
    record_key,
    topic_name,
)
from tests.unit.streams.vectors import vector_batch

PLATFORMS = ("video", "shop", "news")


def encode_one(encoder: VectorEncoder, vectors: Any, id: str = "u1") -> tuple[bytes, bytes]:
    n = len(vectors)
    batch = vector_batch(
        [id] * n,
        vectors,
        [0.25, 0.75, 0.0],
        users=["user"] * n,
        as_of_ms=1_700_000_000_123,
        events=7,
        source_ms=1_700_000_000_100,
    )
    return encoder.encode("shop", batch, 1_700_000_000_200)[0]


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_fields_come_back(encoding: Encoding) -> None:
    encoder = VectorEncoder("b1", PLATFORMS, encoding)
    key, value = encode_one(encoder, [[0.1, -2.0, 0.0]])
    update = decode(value, encoder.headers)
    assert key == b"u1"
    assert (update.id, update.target, update.user, update.bundle) == ("u1", "shop", "user", "b1")
    assert (update.as_of_ms, update.events) == (1_700_000_000_123, 7)
    assert (update.event_ts_ms, update.published_ms) == (1_700_000_000_100, 1_700_000_000_200)
    assert update.sources == {"video": 0.25, "shop": 0.75}
    assert update.vector.dtype == np.float32
    assert update.vector.tolist() == np.array([0.1, -2.0, 0.0], np.float16).tolist()


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_labels_are_of_the_published_vector_and_only_where_asked_for(encoding: Encoding) -> None:
    weight = np.array([[4.0, 0.0, -4.0], [0.0, 1.0, 0.0]], np.float32)
    labels = {"shop": Labels(("jazz", "river", "garden"), weight, np.zeros(3, np.float32))}
    vectors = np.array([[0.3, -0.7]], np.float32)
    with_labels = VectorEncoder("b1", PLATFORMS, encoding, labels=labels, label_count=2)
    update = decode(encode_one(with_labels, vectors)[1], with_labels.headers)
    rounded = vectors.astype(np.float16).astype(np.float32)
    assert [update.labels] == labels["shop"].top(rounded, 2)
    assert isinstance(update.labels, dict)
    assert set(update.labels) == {"jazz", "river", "other"}
    without = VectorEncoder("b1", PLATFORMS, encoding, labels=labels)
    value = encode_one(without, vectors)[1]
    assert decode(value, without.headers).labels is msgspec.UNSET
    assert b"labels" not in value
    elsewhere = VectorEncoder("b1", PLATFORMS, encoding, labels={}, label_count=2)
    assert b"labels" not in encode_one(elsewhere, vectors)[1]


halves = hnp.arrays(
    np.float16,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(width=16, allow_nan=False, allow_infinity=False),
)


@given(halves)
def test_every_float16_survives_both_encodings(vectors: np.ndarray[Any, Any]) -> None:
    for encoding in ("msgpack", "json"):
        encoder = VectorEncoder("b1", PLATFORMS, encoding)
        _, value = encode_one(encoder, vectors)
        got = decode(value, encoder.headers).vector
        np.testing.assert_array_equal(got.astype(np.float16), vectors[0])


def test_all_65536_halves_print_in_five_digits() -> None:
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    plain = plain_vectors(finite.reshape(1, -1))[0]
    np.testing.assert_array_equal(np.array(plain, np.float16), finite)
    assert max(len(repr(x)) for x in plain) <= len("-1.2345e-05")


def test_strided_float32_and_several_rows_keep_their_order() -> None:
    interests = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    encoder = VectorEncoder("b1", PLATFORMS)
    batch = vector_batch(
        ["a", "b"],
        interests[:, 1],
        np.ones(3) / 3,
        as_of_ms=[1, 2],
        events=[1, 2],
        source_ms=[3, 4],
    )
    records = encoder.encode("shop", batch, 5)
    assert [key for key, _ in records] == [b"a", b"b"]
    for row, (_, value) in enumerate(records):
        assert decode(value).vector.tolist() == interests[row, 1].tolist()
    assert sum(decode(records[0][1]).sources.values()) == pytest.approx(1, abs=1e-3)


def test_no_users_no_records() -> None:
    empty = vector_batch([], np.empty((0, 3)), np.ones(3))
    assert VectorEncoder("b1", PLATFORMS).encode("shop", empty, 1) == []


def test_columns_of_different_lengths_are_refused() -> None:
    encoder, ones = VectorEncoder("b1", PLATFORMS), np.ones((1, 3))
    with pytest.raises(ValueError, match="2 ids, 1 users"):
        encoder.encode("shop", vector_batch(["a", "b"], ones, ones, users=["a"]), 1)
    with pytest.raises(ValueError, match=r"expected \[n, 3\]"):
        encoder.encode("shop", vector_batch(["a"], ones, ones[:, 1:]), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 70000.0])
def test_a_vector_beyond_float16_is_refused_by_name(bad: float) -> None:
    with pytest.raises(PublishError, match=r"id:\w+ of target 'shop'"):
        encode_one(VectorEncoder("b1", PLATFORMS), [[1.0, bad]], id="odd")


def test_keys_on_a_shared_topic_keep_targets_apart() -> None:
    encoder = VectorEncoder("b1", PLATFORMS, shared=True)
    key, _ = encode_one(encoder, [[1.0]])
    assert key == b"shop/u1" == record_key("shop", "u1", shared=True)
    assert is_shared("interest.vectors")
    assert not is_shared("interest.vectors.{target}")
    assert topic_name("interest.vectors.{target}", "shop") == "interest.vectors.shop"


def test_missing_headers_are_told_from_the_first_byte() -> None:
    for encoding in ("msgpack", "json"):
        _, value = encode_one(VectorEncoder("b1", PLATFORMS, encoding), [[0.5]])
        assert decode(value).vector.tolist() == [0.5]


def test_unknown_fields_are_ignored() -> None:
    _, value = encode_one(VectorEncoder("b1", PLATFORMS), [[0.5]])
    wider = {**msgspec.msgpack.decode(value), "moods": ["hiking"]}
    assert decode(msgspec.msgpack.encode(wider)).id == "u1"


def broken(**changes: Any) -> bytes:
    _, value = encode_one(VectorEncoder("b1", PLATFORMS, "json"), [[0.5]])
    fields = {**msgspec.json.decode(value), **changes}
    return msgspec.json.encode({k: v for k, v in fields.items() if v is not None})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"events": -1}, "events"),
        ({"id": ""}, "id"),
        ({"vector": "AAAA"}, "vector"),
        ({"vector": []}, "vector"),
        ({"vector": [[1.0]]}, "vector"),
        ({"vector": ["x"]}, "vector"),
        ({"sources": {"shop": 2}}, "sources[...]"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode(broken(**change), headers("json"))
    assert caught.value.reason == "invalid_update"
    assert caught.value.field == field


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RecordError, match="as_of_ms"):
        decode(broken(as_of_ms=None), headers("json"))


def test_damage_versions_and_encodings_have_reasons() -> None:
    _, value = encode_one(VectorEncoder("b1", PLATFORMS), [[0.5]])
    cases = [
        (value[:-3], headers("msgpack"), "undecodable"),
        (value, headers("json"), "undecodable"),
        (value, [("schema", b"interest-update/2")], "unknown_schema"),
        (value, [("content-type", b"text/plain")], "unknown_encoding"),
    ]
    for raw, given_headers, reason in cases:
        with pytest.raises(RecordError) as caught:
            decode(raw, given_headers)
        assert caught.value.reason == reason


def test_odd_vector_bytes_are_refused() -> None:
    update = InterestUpdate("a", "shop", "a", 1, "b", 1, {}, b"\x00", 1, 1)  # type: ignore[arg-type]
    with pytest.raises(RecordError, match="vector"):
        decode(msgspec.msgpack.encode(update))


def test_a_tombstone_says_whose_it_is() -> None:
    key, value, heads = VectorEncoder("b1", PLATFORMS, shared=True).tombstone("shop", "a/b")
    assert (key, value) == (b"shop/a/b", None)
    assert dict(heads) == {"schema": b"interest-update/1", "target": b"shop", "id": b"a/b"}
