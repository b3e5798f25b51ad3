"""Letters of records that may have been read before are looked up in the topic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.errors import PublishError
from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.dead_letters.repeats import UNKNOWN, Repeats
from streams.runtime.dead_letters.lookup import LetterLookup
from streams.runtime.dead_letters.topic import LetterTopic
from tests.unit.streams.dead_letters import letter_of
from tests.unit.streams.runtime.fakes import FakeConsumer, FakeProducer, publisher_of

REPEATS = Repeats({("shop.click", 0): 0}, {("shop.click", 0): 100})


def letters(*offsets: int) -> list[DeadLetter]:
    return [letter_of(source=("shop.click", 0, offset)) for offset in offsets]


def offsets(found: Sequence[DeadLetter]) -> list[int]:
    return [letter.offset for letter in found]


@pytest.fixture
async def lookup(monkeypatch: pytest.MonkeyPatch) -> LetterLookup:
    """The topic has a letter of offset 3, and had ones of 5 and 7."""
    FakeConsumer.install(monkeypatch)
    records = [
        (0, b"shop.click/0/3", b"a letter"),
        (1, b"shop.click/0/5", b"a letter"),
        (1, b"shop.click/0/5", None),
        (0, b"shop.click/0/7", None),
        (0, None, b"a letter of old"),
    ]
    monkeypatch.setattr(FakeConsumer, "records", records)
    return LetterLookup(LetterTopic({}, "letters", publisher_of(FakeProducer())))


async def test_what_the_topic_has_or_had_isnt_missing(lookup: LetterLookup) -> None:
    found = await lookup.missing(letters(3, 4, 5, 6, 7), REPEATS)
    assert offsets(found) == [4, 6]


async def test_the_topic_is_read_once_for_an_assignment(lookup: LetterLookup) -> None:
    asked = [lookup.missing(letters(offset), REPEATS) for offset in (3, 4, 5)]
    assert [offsets(found) for found in await asyncio.gather(*asked)] == [[], [4], []]
    assert offsets(await lookup.missing(letters(6, 7), REPEATS)) == [6]
    assert FakeConsumer.readings == 1


async def test_another_assignment_reads_it_again(
    lookup: LetterLookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offsets(await lookup.missing(letters(4), REPEATS)) == [4]
    monkeypatch.setattr(FakeConsumer, "records", [(0, b"shop.click/0/4", b"another owner's")])
    again = Repeats(REPEATS.begins, REPEATS.ends)
    assert await lookup.missing(letters(4), again) == []
    assert FakeConsumer.readings == 2


async def test_where_not_all_is_remembered_what_comes_meanwhile_is_looked_for_together(
    lookup: LetterLookup,
) -> None:
    asked = [lookup.missing(letters(offset), UNKNOWN) for offset in (3, 4, 5, 6)]
    assert [offsets(found) for found in await asyncio.gather(*asked)] == [[], [4], [], [6]]
    assert FakeConsumer.readings == 2, "the first's alone, and one for all who came meanwhile"


async def test_letters_that_cannot_be_read_end_the_batch(
    lookup: LetterLookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConsumer, "failure", KafkaConnectionError())
    with pytest.raises(PublishError, match="reading letters for a repeat failed"):
        await lookup.missing(letters(3), REPEATS)
