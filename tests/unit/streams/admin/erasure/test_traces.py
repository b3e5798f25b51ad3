"""What a proof of erasure says about each kind of topic."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pytest

from streams.admin.erasure import traces
from streams.admin.erasure.report import MEANINGS
from streams.admin.erasure.state_traces import states
from streams.admin.erasure.traces import Finding, Seen, Subject, Verdict
from streams.intake.dead_letters import dead_letter
from streams.intake.readers.erasure import ErasureReader
from streams.log import codec
from streams.log.records import Adopt, Event, Forget, Link, Via
from streams.publish.encode import VectorEncoder
from streams.settings import parse_settings
from streams.windows.layout import Layout
from streams.windows.stored_tail import Privacy, encode_tail
from streams.windows.stored_value import encode_pointer, encode_row
from tests.unit.streams.dead_letters import letter_of
from tests.unit.streams.vectors import vector_batch

NOW_MS = 1_760_000_000_000
HOUR_MS = 3_600_000
LAYOUT = Layout(3, 8, 4)
ANN, SHOP = b"u/ann", b"l/shop/c-1"


def seen(*records: tuple[bytes | None, bytes | None], topic: str = "t") -> list[Seen]:
    return [Seen(topic, 0, n, NOW_MS + n, key, value) for n, (key, value) in enumerate(records)]


def told(findings: Iterable[Finding]) -> list[tuple[str, int]]:
    return [(finding.verdict.value, finding.offset) for finding in findings]


def state(
    *times: int, privacy: Privacy | None = None, local_ids: tuple[tuple[str, str], ...] = ()
) -> bytes:
    row = np.zeros(1, LAYOUT.dtype)
    row[0] = LAYOUT.empty_row(7)
    row["counts"][0, 0], row["length"], row["base_ms"] = len(times), len(times), NOW_MS
    for place, time_ms in enumerate(times):
        entry = row["ring"][0, place : place + 1]
        entry["time_low"], entry["time_high"] = time_ms & 0xFFFFFFFF, time_ms >> 32 & 0xFF
    raw = row.view(np.uint8).reshape(-1).data
    return encode_row(LAYOUT, raw, encode_tail(local_ids, privacy))


MARK = Privacy(erased_ms=NOW_MS)


@pytest.mark.parametrize(
    ("values", "verdicts"),
    [
        ([state(NOW_MS - 5)], [("left", 0)]),
        ([state(local_ids=(("shop", "c-1"),))], [("left", 0)]),
        ([state()], []),
        ([state(privacy=MARK)], [("kept", 0)]),
        ([state(NOW_MS - 5), state(privacy=MARK)], [("kept", 1), ("waits", 0)]),
        ([state(NOW_MS + 5, privacy=MARK)], [("later", 0), ("kept", 0)]),
        ([state(NOW_MS - 5, NOW_MS + 5, privacy=MARK)], [("left", 0), ("kept", 0)]),
        (
            [state(privacy=Privacy(erased_ms=NOW_MS, views=((1, state(NOW_MS - 1)),)))],
            [("left", 0), ("kept", 0)],
        ),
        ([None], []),
        ([b"\x1fdamaged"], [("left", 0)]),
        ([b"\x10"], [("left", 0)]),
        ([b"\x20 of a later version"], [("left", 0)]),
        ([b"\x01\xff"], [("left", 0)]),
        ([state(privacy=Privacy(erased_ms=1 << 61))], [("kept", 0)]),
    ],
)
def test_the_state_of_a_user(values: list[bytes | None], verdicts: list[tuple[str, int]]) -> None:
    assert told(states(seen(*((ANN, v) for v in values)), Subject("ann"))) == verdicts


def test_a_pointer_to_the_user_is_found_under_any_local_id() -> None:
    subject = Subject("ann")
    records = seen((b"l/shop/c-1", encode_pointer("ann")), (b"l/shop/c-2", encode_pointer("anna")))
    assert told(states(records, subject)) == [("left", 0)]
    assert subject.locals == {("shop", "c-1")}


def test_a_pointer_under_what_is_no_local_id_is_found_too() -> None:
    subject = Subject("ann")
    records = seen((b"x", encode_pointer("ann")), (b"\xff", encode_pointer("ann")))
    assert told(states(records, subject)) == [("left", 0), ("left", 1)]
    assert subject.locals == set()


def test_a_pointer_that_was_taken_back_waits_for_compaction() -> None:
    subject = Subject("ann")
    records = seen((SHOP, encode_pointer("ann")), (SHOP, state(privacy=MARK)))
    assert told(states(records, subject)) == [("kept", 1), ("waits", 0)]


def test_a_local_id_that_was_unlinked_before_is_nobodys() -> None:
    subject = Subject("ann", {("shop", "c-1")})
    assert told(states(seen((SHOP, state(NOW_MS)), (ANN, state())), subject)) == [("later", 0)]
    alone = Subject("", {("shop", "c-1")})
    assert told(states(seen((SHOP, state(NOW_MS))), alone)) == [("left", 0)]


def test_marks_and_other_users_are_passed_over() -> None:
    records = seen((b"\x00marks", b"\x01ann"), (b"u/bob", state(NOW_MS)))
    assert told(states(records, Subject("ann"))) == []


def test_local_ids_are_found_in_the_log_and_its_records_expire() -> None:
    via, subject = Via("t", 0, 0), Subject("ann")
    records = seen(
        (SHOP, codec.encode(Link(via, "shop", "c-1", "ann", 1))),
        (ANN, codec.encode(Adopt(via, "shop", "c-2", b"", 1))),
        (b"l/shop/c-3", codec.encode(Forget(via, "shop", "c-3", "ann", 1, False, 1))),
        (b"l/shop/c-4", codec.encode(Link(via, "shop", "c-4", "bob", 1))),
        (ANN, codec.encode(Event(via, "video", "click", "i", 1, 1, 1))),
        (b"u/bob", codec.encode(Event(via, "video", "click", "i", 1, 1, 1))),
        (None, b"nonsense"),
    )
    findings = list(traces.log_records(records, subject, days=7))
    assert subject.locals == {("shop", "c-1"), ("shop", "c-2"), ("shop", "c-3")}
    assert told(findings) == [("expires", 4)]
    assert findings[0].what.startswith("4 records since offset 0, gone by 2025-10-16")


def test_links_are_others_records_and_name_local_ids() -> None:
    subject = Subject("ann")
    link, moved = b'{"user_id": "ann"}', b'{"user_id": "bob"}'
    records = seen((b"c-1", link), (b"c-2", link), (b"c-1", moved), (b"c-3", b"{"), (b"c-4", None))
    assert told(traces.links(records, "shop", subject)) == [("yours", 1)]
    assert subject.locals == {("shop", "c-1"), ("shop", "c-2")}


def vector(as_of_ms: int, *, shared: bool = False) -> tuple[bytes, bytes]:
    encoder = VectorEncoder("0123456789ab", ("video", "shop"), "msgpack", shared=shared)
    ones = np.ones((1, 8))
    batch = vector_batch(["c-1"], ones, [0.5, 0.5], users=["ann"], as_of_ms=as_of_ms, events=3)
    [record] = encoder.encode("shop", batch, 2)
    return record


@pytest.mark.parametrize(
    ("as_of_ms", "erased_ms", "verdict"),
    [
        (NOW_MS, -1, "left"),
        (NOW_MS, NOW_MS, "left"),
        (NOW_MS + 1, NOW_MS, "later"),
    ],
)
@pytest.mark.parametrize("shared", [False, True])
def test_a_vector_that_stands(as_of_ms: int, erased_ms: int, verdict: str, shared: bool) -> None:
    key, value = vector(as_of_ms, shared=shared)
    subject = Subject("ann", erased_ms=erased_ms)
    found = traces.vectors(seen((key, value)), "shop", set(), subject)
    assert told(found) == [(verdict, 0)], "found by the user that it names"
    assert told(traces.vectors(seen((key, value)), "shop", {key}, Subject(""))) == [("left", 0)]
    gone = seen((key, value), (key, None))
    assert told(traces.vectors(gone, "shop", {key}, subject)) == [("waits", 1)]
    other = Subject("bob", erased_ms=erased_ms)
    assert told(traces.vectors(seen((key, value)), "shop", set(), other)) == []


def letter(raw: bytes, seen_ms: int = NOW_MS) -> bytes:
    return dead_letter.encode(letter_of(raw, seen_ms=seen_ms))


@pytest.mark.parametrize(
    ("ordered_ms", "seen_ms", "verdict"),
    [
        (NOW_MS, NOW_MS - 5, "left"),  # the erasure is of an hour ago: its look wasn't
        (NOW_MS, NOW_MS, "left"),
        (NOW_MS, NOW_MS + 1, "later"),
        (-1, NOW_MS - 5, "later"),  # the order is gone, and the mark is all that there is
        (-1, NOW_MS - HOUR_MS, "left"),
    ],
)
def test_letters_go_by_when_the_erasure_was_ordered(
    ordered_ms: int, seen_ms: int, verdict: str
) -> None:
    subject = Subject("ann", erased_ms=NOW_MS - HOUR_MS, ordered_ms=ordered_ms)
    records = seen((b"a", letter(b'{"user_id": "ann"}', seen_ms)))
    assert told(traces.letters(records, subject)) == [(verdict, 0)]


@pytest.mark.parametrize("value", [b"{}", b"\xff", b'{"x":' + b"[" * 9_000])
def test_what_is_no_letter_no_link_no_vector_and_no_log_record_is_passed_over(value: bytes) -> None:
    records, subject = seen((b"u/ann", value)), Subject("ann")
    assert told(traces.letters(records, subject)) == []
    assert told(traces.links(records, "shop", subject)) == []
    assert told(traces.vectors(records, "shop", {b"u/ann"}, subject)) == []
    assert told(traces.log_records(records, subject, days=7)) == []


def test_dead_letters_that_hold_an_id() -> None:
    mine, later = letter(b'{"user_id": "ann"}'), letter(b'{"local_id": "c-1"}', NOW_MS + 9)
    records = seen((b"a", mine), (b"b", later), (b"c", letter(b"{}")), (b"d", mine), (b"d", None))
    subject = Subject("ann", {("shop", "c-1")}, erased_ms=NOW_MS)
    assert told(traces.letters(records, subject)) == [("left", 0), ("later", 1)]


SETTINGS = parse_settings(
    {"platforms": [{"name": "video"}, {"name": "shop", "ids": "linked", "links": "shop.links"}]}
)


def erasures(subject: Subject, *records: tuple[bytes | None, bytes | None]) -> list[Finding]:
    reader = ErasureReader(SETTINGS)
    return list(traces.erasures(seen(*records), subject, reader, NOW_MS + HOUR_MS))


def order(**said: object) -> bytes:
    return json.dumps({"user_id": "ann", **said}).encode()


LOCAL_ORDER = json.dumps({"platform": "shop", "local_id": "c-1"}).encode()


def test_orders_are_kept() -> None:
    subject = Subject("ann", {("shop", "c-1")})
    records = [(b"ann", order()), (b"shop/c-1", LOCAL_ORDER), (b"bob", order(user_id="bob"))]
    assert told(erasures(subject, *records, (b"shop/c-1", None))) == [("kept", 0), ("kept", 3)]
    assert (subject.erased_ms, subject.ordered_ms) == (NOW_MS, NOW_MS)


@pytest.mark.parametrize(
    ("said", "erased_ms", "ordered_ms"),
    [
        ([order()], NOW_MS, NOW_MS),
        ([order(time=NOW_MS - HOUR_MS)], NOW_MS - HOUR_MS, NOW_MS),
        ([order(time="2020-01-31T12:00:00Z")], 1_580_472_000_000, NOW_MS),
        ([order(time=NOW_MS + 5)], NOW_MS + 5, NOW_MS),
        ([order(), order(time=NOW_MS - HOUR_MS)], NOW_MS, NOW_MS + 1),
        ([order(), None], -1, -1),
        ([order(), None, order(time=NOW_MS - HOUR_MS)], NOW_MS - HOUR_MS, NOW_MS + 2),
    ],
)
def test_an_erasure_may_say_its_own_time(
    said: list[bytes | None], erased_ms: int, ordered_ms: int
) -> None:
    subject = Subject("ann")
    assert told(erasures(subject, *((b"ann", value) for value in said))) == [
        ("kept", len(said) - 1)
    ]
    assert (subject.erased_ms, subject.ordered_ms) == (erased_ms, ordered_ms)


def test_a_vector_of_after_the_time_that_an_erasure_says_is_a_later_one() -> None:
    subject = Subject("ann")
    (kept,) = erasures(subject, (b"ann", order(time=NOW_MS - HOUR_MS)))
    assert kept.what.endswith("of all up to 2025-10-09T07:53:20Z")
    between = seen(vector(NOW_MS - HOUR_MS + 1))
    assert told(traces.vectors(between, "shop", set(), subject)) == [("later", 0)]
    before = seen(vector(NOW_MS - HOUR_MS))
    assert told(traces.vectors(before, "shop", set(), subject)) == [("left", 0)]


@pytest.mark.parametrize(
    "value", [order(time=NOW_MS + 10 * HOUR_MS), order(user_id="bob"), b"{", b"[" * 5_000]
)
def test_an_order_that_intake_refuses_erases_nothing(value: bytes) -> None:
    subject = Subject("ann")
    assert told(erasures(subject, (b"ann", value))) == [("yours", 0)]
    assert (subject.erased_ms, subject.ordered_ms) == (-1, -1)


def test_wishes_are_kept() -> None:
    subject = Subject("ann", {("shop", "c-1")})
    assert told(traces.wishes(seen((b"ann", b"{}"), (b"bob", b"{}")), subject)) == [("kept", 0)]


def test_every_verdict_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Verdict)
