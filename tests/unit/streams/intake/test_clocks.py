"""Times by a clock that is wrong: what the sender's clock is ahead is taken off."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import RecordError
from streams.intake.checks import EARLIEST_MS, corrected_ms_of
from streams.intake.formats.native import NativeEvent
from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.log import codec
from streams.log.records import Event
from streams.settings import parse_settings

NOW_MS = 1_700_000_000_000
MINUTE, DAY, YEAR = 60_000, 86_400_000, 31_557_600_000


def read(value: dict[str, Any], form: str = "native", stamp: int = NOW_MS) -> Event | str:
    """The event that a record becomes, or the reason why it doesn't."""
    settings = parse_settings({"platforms": [{"name": "shop", "format": form}]})
    raw = msgspec.json.encode(value)
    batch = SourceBatch("shop.click", 0, [0], [stamp], [b"ann"], [raw], [()])
    result = Intake(settings).process(batch, NOW_MS)
    if result.dead:
        return f"{result.dead[0].reason} {result.dead[0].field}"
    record = codec.decode(result.records[0][1])
    assert isinstance(record, Event)
    return record


def time_of(event: Event | str) -> int:
    assert isinstance(event, Event), event
    return event.time_ms


@pytest.mark.parametrize("ahead", [0, 7 * MINUTE, -3 * DAY, 40 * YEAR, -30 * YEAR])
def test_an_hour_before_it_was_sent_is_an_hour_before_it_was_received(ahead: int) -> None:
    value = {"item_id": "i", "time": NOW_MS - 60 * MINUTE + ahead, "sent_at": NOW_MS + ahead}
    assert time_of(read(value)) == NOW_MS - 60 * MINUTE
    # An own word for when it was received wins over Kafka's timestamp.
    said = {**value, "received_at": NOW_MS - 5}
    assert time_of(read(said, stamp=NOW_MS - DAY)) == NOW_MS - 60 * MINUTE - 5


def test_without_sent_at_or_any_time_of_receipt_nothing_is_corrected() -> None:
    value = {"item_id": "i", "time": NOW_MS - DAY}
    assert time_of(read({**value, "received_at": NOW_MS})) == NOW_MS - DAY
    assert time_of(read({**value, "sent_at": NOW_MS + DAY}, stamp=-1)) == NOW_MS - DAY
    assert time_of(read({"item_id": "i", "sent_at": NOW_MS + DAY})) == NOW_MS


def test_the_result_has_the_bounds_of_every_time() -> None:
    # Happened after it was sent: that can't be; it is when it was received.
    value = {"item_id": "i", "time": NOW_MS + DAY, "sent_at": NOW_MS}
    assert time_of(read(value, stamp=NOW_MS - 3)) == NOW_MS - 3
    ahead = {"item_id": "i", "time": NOW_MS, "sent_at": NOW_MS, "received_at": NOW_MS + DAY}
    assert read(ahead) == "from_future time"
    old = {"item_id": "i", "time": NOW_MS - 40 * YEAR, "sent_at": NOW_MS}
    assert read(old) == "too_old time"
    assert read({**old, "sent_at": 1e18}) == "bad_time sent_at"
    assert read({**old, "received_at": 1e18}) == "bad_time received_at"


SEGMENT = {
    "type": "track", "event": "Product Clicked", "userId": "ann",
    "properties": {"product_id": "i"},
    "originalTimestamp": "2023-11-15T22:13:20Z",  # a day ahead, as sentAt is
    "sentAt": "2023-11-15T22:13:30Z", "receivedAt": "2023-11-14T22:13:20Z",
}  # fmt: skip


def test_segments_rule() -> None:
    """``timestamp`` is Segment's own correction; raw calls are corrected here the same way."""
    assert time_of(read(SEGMENT, "segment")) == NOW_MS - 10_000
    done = {**SEGMENT, "timestamp": "2023-11-14T22:13:11Z"}
    assert time_of(read(done, "segment")) == NOW_MS - 9_000
    without = {name: value for name, value in SEGMENT.items() if name != "receivedAt"}
    assert time_of(read(without, "segment", stamp=NOW_MS - 1_000)) == NOW_MS - 11_000
    assert read({**SEGMENT, "sentAt": 3}, "segment") == "wrong_type sentAt"


def test_an_event_without_an_id_is_the_same_one_however_it_is_corrected() -> None:
    value = {"item_id": "i", "time": NOW_MS - DAY + 40, "sent_at": NOW_MS + 40}
    first, again = read(value), read(value, stamp=NOW_MS + 2_000)
    assert isinstance(first, Event)
    assert isinstance(again, Event)
    assert first.time_ms != again.time_ms
    assert first.event_hash == again.event_hash


whole = st.integers(-(10**17) + 1, 10**17 - 1)


@given(whole, whole, st.none() | whole, st.integers(-1, 10**14))
def test_a_result_is_never_after_its_receipt_nor_out_of_bounds(
    time: int, sent: int, received: int | None, kafka_ms: int
) -> None:
    event = NativeEvent(time=time, sent_at=sent, received_at=received)
    try:
        ms = corrected_ms_of(event, kafka_ms, NOW_MS)
    except RecordError as error:
        assert error.reason in {"too_old", "from_future", "bad_time"}  # noqa: PT017
        return
    assert EARLIEST_MS <= ms <= NOW_MS
