"""Records of the log: bytes and back, and records of other versions."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.log import codec
from streams.log.keys import USER, local_key, split_local_key, stable_hash, user_key
from streams.log.records import Adopt, Consent, Erase, Event, Forget, Link, LogRecord, Via

text = st.text(max_size=20)
whole = st.integers(0, 2**63 - 1)
vias = st.builds(Via, text, st.integers(0, 2**31 - 1), whole, st.integers(0, 1000))
events = st.builds(
    Event, vias, text, text, text, st.integers(-(2**62), 2**62), st.integers(0, 2**64 - 1), whole
)
links = st.builds(Link, vias, text, text, st.none() | text, whole)
adopts = st.builds(Adopt, vias, text, text, st.binary(max_size=50), whole)
consents = st.builds(
    Consent, vias, st.booleans(), st.lists(st.tuples(text, text), max_size=3).map(tuple), whole
)
erasures = st.builds(Erase, vias, whole, st.booleans(), st.booleans(), whole)
forgets = st.builds(Forget, vias, text, text, text, whole, st.booleans(), whole)
own = (Event, Link, Adopt, Consent, Erase, Forget)
others = [kind for kind in LogRecord.__args__ if kind not in own]
short = st.one_of(*(st.builds(kind, vias, text, text, source_ms=whole) for kind in others))
records = events | links | adopts | consents | erasures | forgets | short


@given(records)
def test_a_record_comes_back_equal(record: LogRecord) -> None:
    assert codec.decode(codec.encode(record)) == record


@given(records, st.lists(st.none() | st.integers() | text, min_size=1, max_size=3))
def test_fields_that_a_later_version_appends_are_ignored(
    record: LogRecord, appended: list[Any]
) -> None:
    raw = codec.encode(record)
    start = codec.HEAD_BYTES if raw[0] == codec.EVENT_FORM else 0  # numbers, then an array
    array = msgspec.msgpack.decode(raw[start:])
    later = [*array, *(0 if isinstance(x, int) else x for x in appended)]
    assert codec.decode(raw[:start] + msgspec.msgpack.encode(later)) == record


@given(events)
def test_an_event_as_messagepack_is_read_too(event: Event) -> None:
    assert codec.decode(msgspec.msgpack.encode(event)) == event


@pytest.mark.parametrize(
    "via", [Via("t", 0, 0, 1 << 16), Via("t", 1 << 32, 0), Via("t", -1, 0), Via("t", 0, 1 << 63)]
)
def test_an_event_whose_numbers_do_not_fit_their_places_comes_back_equal(via: Via) -> None:
    event = Event(via, "video", "click", "i1", 1, 2, 3)
    assert codec.encode(event)[0] != codec.EVENT_FORM
    assert codec.decode(codec.encode(event)) == event


def test_an_event_of_a_later_version_is_refused() -> None:
    raw = bytearray(codec.encode(Event(Via("t", 0, 0), "video", "click", "i1", 1, 2, 3)))
    raw[1] += 1
    with pytest.raises(msgspec.DecodeError, match="version"):
        codec.decode(bytes(raw))


def test_a_position_without_its_last_field_is_of_the_whole_record() -> None:
    array = msgspec.msgpack.decode(codec.encode(Link(Via("t", 1, 2, 9), "shop", "c-1", "ann", 3)))
    array[1] = array[1][:3]
    assert codec.decode(msgspec.msgpack.encode(array)).via == Via("t", 1, 2, 0)


@given(st.binary(max_size=80))
@example(b"\x91\xaa123456789\x80")
def test_other_bytes_are_refused_with_one_kind_of_error(raw: bytes) -> None:
    with suppress(msgspec.DecodeError):
        codec.decode(raw)


@pytest.mark.parametrize(
    "array", [[], ["x", 1], ["e"], ["e", ["t", 0, 0, 0]], {"type": "e"}, ["l", ["t", "0", 0]]]
)
def test_messagepack_of_another_shape_is_a_validation_error(array: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        codec.decode(msgspec.msgpack.encode(array))


@given(st.text(alphabet=st.characters(exclude_characters="/"), min_size=1, max_size=9), text)
def test_a_local_key_tells_its_platform_and_id(platform: str, local_id: str) -> None:
    # Platform names have no slash; ids may have any.
    assert split_local_key(local_key(platform, local_id)) == (platform, local_id)


@given(text)
def test_a_users_key_is_no_local_key(user: str) -> None:
    assert user_key(user).startswith(USER)
    with pytest.raises(ValueError, match="isn't the key of a local id"):
        split_local_key(user_key(user))


def test_hashes_are_the_same_in_every_version() -> None:
    assert stable_hash("") == 0x2D06800538D394C2  # XXH3's own test vector
    assert stable_hash("a film") != stable_hash("a film ")
