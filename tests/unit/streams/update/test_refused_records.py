"""Records of the log that can't be used: a dead letter, and nobody is harmed."""

from __future__ import annotations

import msgspec
import pytest

from streams.effects.effects import Effects, LogBatch
from streams.log import codec
from streams.log.records import Adopt, Consent, Forget, Link, Via
from streams.update.source_marks import PREFIX
from tests.unit.streams.toy import (
    LOG,
    START_MS,
    MemoryStore,
    event,
    toy_updater,
)
from tests.unit.streams.update.one_partition import (
    ANN,
    AT_MS,
    SHOP,
    Line,
)

GOOD = codec.encode(event(START_MS, offset=0))


LINK = Link(Via("shop.links", 0, 0), "shop", "c-1", "ann", START_MS)


def users_of(effects: Effects, partition: int = 0) -> list[str]:
    return [key for key, _ in effects.changelog[partition] if not key.startswith(PREFIX)]


def foreign(**changes: str) -> bytes:
    return codec.encode(msgspec.structs.replace(event(START_MS, offset=0), **changes))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (None, GOOD, "neither a user's nor a local id's"),
        (b"ann", GOOD, "neither a user's nor a local id's"),
        (b"u/a", codec.encode(LINK), "under its local id's key"),
        (b"l/shop/c-2", codec.encode(LINK), "under its local id's key"),
        (b"l/shop/c-1", codec.encode(Adopt(LINK.via, "shop", "c-1", b"", 0)), "a user gets"),
        (b"u/a", codec.encode(event(1 << 62, offset=0)), "isn't a time"),
        (b"u/a", codec.encode(event(-1, offset=0)), "isn't a time"),
        (b"u/a", b"\xc1", ""),
        (b"u/a", b"", "truncated"),
        (b"u/a", None, "truncated"),
        (b"u/a", b'{"item_id":"i1"}', ""),
        (b"\xff\xfe", GOOD, "utf-8"),
        (b"u/a", foreign(platform="games"), "'games'"),
        (b"u/a", foreign(action="stare"), "'stare'"),
        (b"u/a", GOOD.replace(b"video.click", b"video.c\xffick"), "UTF-8"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_and_harms_nobody(
    key: bytes | None, value: bytes | None, says: str
) -> None:
    updater = toy_updater()
    bad = LogBatch(2, [5, 6], [key, b"u/b"], [value, codec.encode(event(START_MS, offset=1))])
    effects = updater.process([bad], MemoryStore())
    (refused,) = effects.refused
    assert (refused.partition, refused.offset) == (2, 5)
    assert (refused.key, refused.value) == (key, value)
    assert refused.reason == "log_record"
    assert says in refused.problem
    assert refused.remedy
    assert users_of(effects, 2) == ["u/b"]
    assert effects.counts.applied.total() == 1


def test_a_refused_record_does_not_move_the_marks() -> None:
    updater, store = toy_updater(), MemoryStore()
    raw = foreign(platform="games")
    effects = updater.process([LogBatch(0, [0], [b"u/a"], [raw])], store)
    assert effects.changelog == {0: []}
    assert effects.vectors is None


def test_records_under_a_wrong_key_are_refused() -> None:
    line = Line()
    wish = Consent(Via("interest.consent", 0, 0), False, (("video", "*"),), 0)
    forget = Forget(Via(LOG, 0, 999), "shop", "1", "ann", AT_MS, False, AT_MS)
    adopt = Adopt(Via(LOG, 0, 998), "nowhere", "1", b"", 0)
    line.log += [(SHOP, wish), (ANN, forget), (ANN, adopt)]
    assert len(line.compute().refused) == 3
