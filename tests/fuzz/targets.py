"""What is fuzzed: each decoder of bytes from outside, with the one property it must have.

A target takes bytes and returns; the errors that the decoder promises are caught here, and
whatever else comes out of it is a crash. A decoder that says that it never raises has no
``suppress`` around it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Final

import msgspec

from models.contract import ACTIONS
from streams.admin.bundle_status import told
from streams.admin.erasure import traces
from streams.admin.erasure.state_traces import states
from streams.admin.erasure.traces import Seen, Subject
from streams.effects.effects import LogBatch
from streams.errors import RecordError, UnfitBundleError
from streams.intake.dead_letters import dead_letter
from streams.intake.intake import Intake
from streams.intake.readers.erasure import ErasureReader
from streams.intake.source import SourceBatch
from streams.log import codec
from streams.log.records import Adopt, Consent, Via
from streams.runtime.bundles.announcement import Announcements
from streams.runtime.bundles.loading import load_announced
from streams.runtime.bundles.worker_status import decode_status
from streams.runtime.web.user_view import describe_user
from streams.settings import Settings, parse_settings
from streams.subscribe import schema
from streams.update.updater import Updater
from tests.fuzz.bundle_targets import bundle_file, bundle_folder, manifest, other_versions
from tests.unit.streams.toy import START_MS, MemoryStore, event, toy_updater

NOW_MS: Final = START_MS + 3_600_000
Target = Callable[[bytes], None]


def split(data: bytes) -> tuple[bytes, bytes]:
    """A first part of up to 255 bytes, whose length the first byte says, and the rest."""
    cut = 1 + data[0] if data else 0
    return data[1:cut], data[cut:]


# -- what platforms send


@cache
def intake(form: str) -> Intake:
    platforms = [
        {"name": "video", "format": form, "topics": {"any": "video"}},
        {"name": "shop", "format": form, "ids": "linked", "topics": {"click": "shop"}},
    ]
    return Intake(parse_settings({"platforms": platforms}))


def _intake(form: str, topics: tuple[str, ...]) -> Target:
    """Intake never raises: each record is accepted, ignored or a dead letter."""

    def run(data: bytes) -> None:
        key, value = split(data)
        name, content = split(value)
        headers: list[tuple[str, bytes | None]] = [
            ("content-type", b"application/cloudevents+json")
        ]
        headers = headers if data[:1] < b"\x80" else [("ce_id", name), ("ce_type", key)]
        for topic in topics:
            for raw in (value, content):
                batch = SourceBatch(topic, 0, [3], [NOW_MS - 5], [key], [raw], [headers])
                result = intake(form).process(batch, NOW_MS)
                assert result.seen == 1
                assert result.accepted + len(result.dead) + result.ignored.total() == 1
                for _, record, _ in result.records:
                    codec.decode(record)
                for letter in result.dead:
                    assert dead_letter.decode(dead_letter.encode(letter)) == letter

    return run


# -- the log, the store, and what is forwarded


def apply(updater: Updater, store: MemoryStore, records: list[tuple[bytes, bytes]]) -> None:
    """Apply log records and then an event of the same users; nothing of it may raise."""
    keys: list[bytes | None] = [key for key, _ in records]
    values: list[bytes | None] = [value for _, value in records]
    store.write(updater.process([LogBatch(0, list(range(len(keys))), keys, values)], store))
    good = codec.encode(event(START_MS + 50, offset=1_000))
    again: list[bytes | None] = [*dict.fromkeys(keys), b"u/ann"]
    effects = updater.process(
        [LogBatch(0, list(range(50, 50 + len(again))), again, [good] * len(again))], store
    )
    store.write(effects)
    for name in ("u/ann", "u/bob"):
        row = updater.slab.find(name)
        if row is not None:
            describe_user(updater, row, ACTIONS, NOW_MS)


def log_record(data: bytes) -> None:
    """Whatever stands in the log, under whatever key, the update goes on."""
    key, value = split(data)
    store = MemoryStore()
    with other_versions():
        apply(toy_updater(), store, [(b"u/ann", value), (key, value), (b"l/shop/c-1", value)])


def stored_value(data: bytes) -> None:
    """Whatever is stored under a user's or a local id's key, unless of another version."""
    store = MemoryStore()
    store.values[0, "u/ann"] = store.values[0, "l/shop/c-1"] = data
    good = codec.encode(event(START_MS + 40, offset=0))
    with other_versions():
        apply(toy_updater(), store, [(b"u/ann", good), (b"l/shop/c-1", good)])
    assert not data or data[0] >> 4 != 1 or (0, "u/ann") in store.values


def adopted_history(data: bytes) -> None:
    """Whatever history comes with a link, to a user with and without one, restricted or not."""
    adopt = codec.encode(Adopt(Via("interest.events", 1, 1), "shop", "c-1", data, START_MS))
    said = Consent(Via("interest.consent", 0, 0), False, (("shop", "video"),), START_MS)
    wish = codec.encode(said)
    good = codec.encode(event(START_MS + 40, offset=0))
    with other_versions():
        store = MemoryStore()
        apply(
            toy_updater(),
            store,
            [(b"u/bob", good), (b"u/bob", adopt), (b"u/ann", wish)],
        )
        apply(toy_updater(), MemoryStore(), [(b"u/ann", wish), (b"u/ann", adopt)])


# -- what goes out, and comes back


def vectors(data: bytes) -> None:
    """A subscriber gets an update or a ``RecordError``."""
    header, value = split(data)
    named = [("content-type", header), ("schema", b"interest-update/1")]
    for headers in ([], named, [("schema", header)]):
        with suppress(RecordError):
            update = schema.decode(value, headers)
            assert update.vector.dtype == "float32"


def dead_letters(data: bytes) -> None:
    """``redrive`` and an erasure read letters; what is none is a ``DecodeError``."""
    with suppress(msgspec.DecodeError):
        letter = dead_letter.decode(data)
        dead_letter.concerns(letter, "shop", "c-1")
        dead_letter.concerns(letter, "", "ann")


# -- bundles


@cache
def _settings() -> Settings:
    names = [{"name": name} for name in ("video", "shop", "news")]
    return parse_settings({"platforms": names, "onnx": {"providers": "cpu"}})


def announcement(data: bytes) -> None:
    """A record of the bundles topic, or of the status topic: passed over, or refused, or in force.

    Every worker reads the first, at each start again; ``bundle status`` reads the second.
    """
    key, value = split(data)
    known = Announcements()
    known.take([(key, value), (None, data), (b"b", value)])
    known.before()
    for said in (*known.newest("active"), *known.newest("shadow")):
        with suppress(UnfitBundleError):
            load_announced(_settings(), said, None)
    decode_status(value)
    for line in told({key: value, None: data}, known.active()):
        assert line.text


def proven(data: bytes) -> None:
    """Whatever stands in a topic, a proof of erasure reads on, and has a finding or none."""
    key, value = split(data)
    pairs = [
        (b"u/ann", value),
        (b"l/shop/c-1", value),
        (key, value),
        (key, b"\x01ann"),
        (b"ann", value),
    ]
    records = [Seen("t", 0, n, NOW_MS, *pair) for n, pair in enumerate(pairs)]
    subject = Subject("ann", {("shop", "c-1")})
    parts = (
        traces.erasures(records, subject, ErasureReader(_settings()), NOW_MS),
        traces.wishes(records, subject),
        traces.links(records, "shop", subject),
        traces.log_records(records, subject, 7.0),
        states(records, subject),
        traces.vectors(records, "shop", {key}, subject),
        traces.letters(records, subject),
    )
    for part in parts:
        for finding in part:
            assert finding.what


def clean_up() -> None:
    """Remove what the bundle targets left."""
    if bundle_folder.cache_info().currsize:
        shutil.rmtree(bundle_folder().parent, ignore_errors=True)
        bundle_folder.cache_clear()


TARGETS: Final[Mapping[str, Target]] = {
    "native": _intake("native", ("video", "shop")),
    "segment": _intake("segment", ("video", "shop")),
    "ga4": _intake("ga4", ("video", "shop")),
    "snowplow": _intake("snowplow", ("video", "shop")),
    "cloudevents": _intake("cloudevents", ("video", "shop")),
    "links": _intake("native", ("shop.links",)),
    "items": _intake("native", ("shop.items",)),
    "control": _intake("native", ("interest.consent", "interest.erasure")),
    "log": log_record,
    "state": stored_value,
    "adopt": adopted_history,
    "vectors": vectors,
    "letters": dead_letters,
    "manifest": manifest,
    "bundle": bundle_file,
    "announcement": announcement,
    "proof": proven,
}
