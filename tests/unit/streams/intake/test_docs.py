"""docs/events.md says what the code does: every reason, and examples that are accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.intake.dead_letters.dead_letter import DeadLetter
from streams.intake.formats.native import NativeEvent
from streams.intake.readers.items import parse_item
from streams.intake.reasons import IGNORED, REJECTED
from tests.unit.streams.intake.conftest import Feed

TEXT = (Path(__file__).resolve().parents[4] / "docs" / "events.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")}


def examples(section: str) -> list[bytes]:
    blocks = re.findall(r"```json\n(.*?)```", SECTIONS[section], re.DOTALL)
    return [line.encode() for block in blocks for line in block.splitlines()]


def test_every_reason_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", SECTIONS["Records that can't be used"], re.MULTILINE)
    assert set(REJECTED) <= set(listed)
    assert all(f"`{reason}`" in TEXT for reason in IGNORED)


@pytest.mark.parametrize("shape", [NativeEvent, DeadLetter])
def test_every_field_is_listed(shape: type[NativeEvent | DeadLetter]) -> None:
    assert [name for name in shape.__struct_fields__ if f"`{name}`" not in TEXT] == []


@pytest.mark.parametrize("value", examples("Events"))
def test_events_of_the_examples_are_accepted(feed: Feed, value: bytes) -> None:
    assert feed("video.click", value).accepted == 1


@pytest.mark.parametrize("value", examples("Links"))
def test_links_of_the_examples_are_accepted(feed: Feed, value: bytes) -> None:
    assert feed("shop.links", value, keys=[b"c-93"]).accepted == 1


@pytest.mark.parametrize("value", examples("Items"))
def test_items_of_the_examples_are_accepted(value: bytes) -> None:
    assert parse_item(b"kettle-2", value).item_id == "kettle-2"


@pytest.mark.parametrize("value", examples("Consent"))
def test_consent_of_the_examples_is_accepted(feed: Feed, value: bytes) -> None:
    assert feed("interest.consent", value).accepted == 1


@pytest.mark.parametrize("value", examples("Erasure"))
def test_erasures_of_the_examples_are_accepted(feed: Feed, value: bytes) -> None:
    assert feed("interest.erasure", value).accepted == 1
