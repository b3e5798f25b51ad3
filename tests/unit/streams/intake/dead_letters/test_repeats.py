"""Which letters are written: once for each position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.intake.dead_letters.dead_letter import DeadLetter, letter_key
from streams.intake.dead_letters.repeats import UNKNOWN, Known, Repeats, fresh, may_be_repeated
from tests.unit.streams.dead_letters import letter_of

TOPIC = "video.click"
ENDS = {(TOPIC, 0): 7, (TOPIC, 1): 0}
REPEATS = Repeats({(TOPIC, 0): 3, (TOPIC, 1): 0}, ENDS)


def letter(partition: int, offset: int, topic: str = TOPIC) -> DeadLetter:
    return letter_of(source=(topic, partition, offset))


def key(partition: int, offset: int) -> bytes:
    return letter_key(letter(partition, offset))


def test_what_came_after_the_assignment_is_new() -> None:
    assert may_be_repeated(letter(0, 6), ENDS)
    assert not may_be_repeated(letter(0, 7), ENDS)
    assert not may_be_repeated(letter(1, 0), ENDS)


def test_of_a_partition_whose_end_isnt_known_every_record_may_have_been_read() -> None:
    assert may_be_repeated(letter(2, 1_000_000), ENDS)
    assert may_be_repeated(letter(0, 7, "video.view"), ENDS)


def test_only_what_may_be_repeated_and_has_its_key_in_the_topic_is_left_out() -> None:
    letters = [letter(0, offset) for offset in (5, 6, 7, 8)]
    assert fresh(letters, ENDS, {key(0, 5), key(0, 8)}) == letters[1:]
    assert fresh(letters, {}, {key(0, 5), key(0, 8)}) == letters[1:3]
    assert fresh(letters, ENDS, set()) == letters


def test_one_reading_answers_whatever_the_assignment_can_ask_for() -> None:
    known = Known(REPEATS)
    for seen in (key(0, 2), key(0, 3), key(0, 6), key(0, 7), None, b"not a position"):
        known.see(seen)
    assert known.answers(REPEATS, [key(0, 3), key(0, 4), key(0, 6)])
    assert [key(0, n) in known for n in (3, 4, 6)] == [True, False, True]
    assert key(0, 2) not in known, "it is committed, so nobody asks for it"


def test_it_answers_no_other_assignment() -> None:
    known = Known(REPEATS)
    assert not known.answers(Repeats(REPEATS.begins, REPEATS.ends), [key(0, 3)])


def test_of_what_lies_outside_the_assignment_only_what_was_wanted_is_known() -> None:
    known = Known(REPEATS, [key(0, 1), key(5, 1)])
    known.see(key(5, 1))
    assert known.answers(REPEATS, [key(0, 1), key(5, 1), key(0, 4)])
    assert not known.answers(REPEATS, [key(0, 2)])
    assert (key(0, 1) in known, key(5, 1) in known) == (False, True)
    assert not Known(UNKNOWN, [key(0, 1)]).answers(UNKNOWN, [key(0, 2)])


@pytest.mark.parametrize(("keys", "whole"), [(2, True), (3, False)])
def test_beyond_the_limit_only_what_was_wanted_is_known(keys: int, whole: bool) -> None:
    repeats = Repeats({(TOPIC, 0): 0}, {(TOPIC, 0): 100})
    known = Known(repeats, [key(0, 50), key(0, 51)], limit=2)
    for offset in (*range(keys), 50):
        known.see(key(0, offset))
    assert known.answers(repeats, [key(0, 70)]) is whole
    assert known.answers(repeats, [key(0, 50), key(0, 51)])
    assert (key(0, 50) in known, key(0, 51) in known) == (True, False)


@given(st.binary() | st.text().map(lambda text: f"{TOPIC}/{text}".encode()))
def test_any_key_whatever_is_taken_for_a_letters_or_for_none(anything: bytes) -> None:
    Known(REPEATS).see(anything)


def test_numbers_without_end_are_no_position() -> None:
    assert not REPEATS.covers(f"{TOPIC}/0/{'0' * 5_000}5".encode())
