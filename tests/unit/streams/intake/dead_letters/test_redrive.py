"""Dead letters that are sent again, and what intake and the update make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.effects.effects import LogBatch
from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.dead_letters.redrive import COMPACTED, CUT, FOREIGN, Plan, Wanted, plan
from streams.intake.dead_letters.redrive_header import HEADER, first_timestamp_ms, header
from streams.intake.intake import Intake
from streams.intake.source import SourceBatch
from streams.log import codec
from streams.log.records import Event
from streams.settings import parse_settings
from tests.unit.streams.toy import START_MS, MemoryStore, toy_updater

TOPIC = "video.click"
EVENTS = {TOPIC: ("video", "click"), "shop.click": ("shop", "click")}
PLATFORMS = [{"name": "video"}, {"name": "shop", "ids": "linked"}]


def letter(**changes: Any) -> DeadLetter:
    made: dict[str, Any] = {
        "topic": TOPIC, "partition": 2, "offset": 7, "timestamp_ms": START_MS,
        "platform": "video", "reason": "from_future", "field": "time", "value": "", "remedy": "",
        "key": b"k", "raw": b"{}", "headers": (("trace", b"1"),), "truncated": False,
        "seen_ms": START_MS + 50, "worker": "0",
    }  # fmt: skip
    return DeadLetter(**{**made, **changes})


def planned(letters: list[DeadLetter], **wanted: Any) -> Plan:
    return plan(letters, Wanted(**wanted), EVENTS, ["shop.links", "video.items"])


def test_a_record_goes_back_as_it_was_with_the_letters_name() -> None:
    (record,) = planned([letter()]).records
    assert (record.topic, record.key, record.value) == (TOPIC, b"k", b"{}")
    assert record.headers == (("trace", b"1"), (HEADER, b"video.click/2/7@1700000000000"))
    # A letter of a record that was redriven in vain keeps the name of its first letter.
    again = letter(offset=99, headers=record.headers)
    assert planned([again]).records[0].headers == record.headers


def test_filters() -> None:
    letters = [
        letter(offset=1), letter(offset=2, platform="shop", topic="shop.click"),
        letter(offset=3, reason="no_item", field="item_id"), letter(offset=4, seen_ms=START_MS),
    ]  # fmt: skip

    def offsets(**wanted: Any) -> list[str]:
        names = (record.headers[-1][1] for record in planned(letters, **wanted).records)
        return [(name or b"").decode().split("/")[2].split("@")[0] for name in names]

    assert offsets() == ["1", "2", "3", "4"]
    assert offsets(platforms=frozenset({"shop"})) == ["2"]
    assert offsets(reasons=frozenset({"no_item"})) == ["3"]
    assert offsets(field="item_id") == ["3"]
    assert offsets(since_ms=START_MS + 1) == ["1", "2", "3"]
    assert offsets(until_ms=START_MS + 1) == ["4"]
    assert planned(letters, platforms=frozenset({"shop"})).others == 3


def test_what_can_t_go_back_is_counted_with_its_reason() -> None:
    letters = [
        letter(truncated=True), letter(topic="interest.events", platform=""),
        letter(topic="shop.links", platform="shop"), letter(topic="interest.consent", platform=""),
    ]  # fmt: skip
    made = planned(letters)
    assert made.records == []
    assert made.left_out == {CUT: 1, FOREIGN: 2, COMPACTED: 1}
    assert [r.topic for r in planned(letters, compacted=True).records] == ["shop.links"]


@pytest.mark.parametrize(
    "value", [b"", b"x", b"a/1/2", b"a/1/2@", b"a/1/2@x", b"/1/2@3", b"\xff" * 300, b"a/1/2@-7"]
)
def test_a_header_that_is_none_says_nothing(value: bytes) -> None:
    assert first_timestamp_ms([(HEADER, value), ("other", None)], 5) == 5
    assert first_timestamp_ms([("x", b"y"), header("a.b", 0, 3, -9)], 5) == -1


def test_what_is_redriven_twice_counts_once() -> None:
    """With an id of its own, and without id and time, when Kafka's timestamp is its time."""
    intake = Intake(parse_settings({"platforms": PLATFORMS}))
    values = [{"event_id": "e1", "item_id": "i1", "time": START_MS}, {"item_id": "i2"}]
    letters = [
        letter(offset=n, key=b"ann", raw=json.dumps(value).encode())
        for n, value in enumerate(values)
    ]
    updater, store = toy_updater(), MemoryStore()
    applied = []
    for run in range(3):
        records = planned(letters).records
        batch = SourceBatch(
            TOPIC,
            1,
            [100 + 10 * run + n for n in range(len(records))],
            [START_MS + 1000 * run + 500] * len(records),  # whenever they are sent
            [r.key for r in records],
            [r.value for r in records],
            [r.headers for r in records],
        )
        result = intake.process(batch, START_MS + 60_000)
        assert result.dead == []
        rows = [(key, value) for key, value, _ in result.records]
        times = {
            record.time_ms for _, raw in rows if isinstance(record := codec.decode(raw), Event)
        }
        assert times == {START_MS}
        offsets = list(range(10 * run, 10 * run + len(rows)))
        fetched = LogBatch(0, offsets, [key for key, _ in rows], [value for _, value in rows])
        effects = updater.process([fetched], store)
        store.write(effects)
        applied.append((effects.counts.applied.total(), effects.counts.skipped["duplicate"]))
    assert applied == [(2, 0), (0, 2), (0, 2)]
