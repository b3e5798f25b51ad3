"""Every record has a rule; a batch without records; more users than fit."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from streams.effects.effects import LogBatch
from streams.log.keys import local_key
from streams.log.records import Adopt, Link, LogRecord, Via
from streams.update.dispatcher import RULES
from streams.windows.slab import SlabFullError
from tests.unit.streams.toy import (
    LOG,
    START_MS,
    MemoryStore,
    batch,
    event,
    toy_updater,
)

LINK = Link(Via("shop.links", 0, 0), "shop", "c-1", "ann", START_MS)


def test_every_kind_of_record_has_a_rule() -> None:
    assert set(RULES) == set(get_args(LogRecord))


def test_an_empty_fetch_does_nothing() -> None:
    effects = toy_updater().process([LogBatch(3, [], [], [])], MemoryStore())
    assert effects.changelog == {3: []}
    assert not effects.forwards
    assert not effects.tombstones
    assert effects.vectors is None


def test_more_users_at_once_than_fit_is_an_error_with_a_remedy() -> None:
    updater = toy_updater(capacity=4)
    records: list[tuple[str, LogRecord]] = [(f"u/{n}", event(START_MS, offset=n)) for n in range(5)]
    with pytest.raises(SlabFullError, match="users_in_memory"):
        updater.process([batch(0, 0, records)], MemoryStore())


def test_an_event_under_a_linked_id_goes_on_with_its_position_in_the_log() -> None:
    updater, store = toy_updater(), MemoryStore()
    click = event(START_MS, offset=0, platform="shop")
    key = local_key("shop", "c-1")
    effects = updater.process([batch(6, 40, [(key, LINK), (key, click)])], store)
    (adopt_to, adopt), (event_to, forwarded) = effects.forwards
    assert adopt_to == event_to == "u/ann"
    assert isinstance(adopt, Adopt)
    assert adopt.state == b""
    assert (adopt.via.topic, adopt.via.partition, adopt.via.offset) == (LOG, 6, 40)
    assert forwarded == msgspec.structs.replace(click, via=Via(LOG, 6, 41))
    assert effects.counts.identity == {"linked": 1, "forwarded": 1}
    assert effects.vectors is None
