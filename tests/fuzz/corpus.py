"""The inputs that fuzzing begins with: valid ones made here, and interesting ones that were kept.

Kept inputs are in ``kept/{target}.txt``, one a line in base64: they reach code that no other
reaches, or were crashes once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from streams.log import codec
from streams.log.records import (
    Adopt,
    Announce,
    Consent,
    Erase,
    Forget,
    Link,
    LogRecord,
    Release,
    Via,
)
from streams.publish.encode import VectorEncoder
from streams.runtime.bundles.announcement import Announcement, encode
from streams.runtime.bundles.worker_status import WorkerStatus
from tests.fuzz.bundle_targets import FILES, bundle_folder
from tests.unit.streams.toy import START_MS, MemoryStore, batch, event, toy_updater
from tests.unit.streams.vectors import vector_batch

FOLDER: Final = Path(__file__).with_name("kept")
ISO: Final = "2023-11-14T22:13:20Z"


def kept(target: str) -> list[bytes]:
    """The inputs that were kept of a target."""
    path = FOLDER / f"{target}.txt"
    lines = path.read_text(encoding="ascii").split() if path.exists() else []
    return [base64.b64decode(line) for line in lines]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Write the inputs to keep of a target, the shortest first."""
    chosen = sorted(set(inputs), key=lambda data: (len(data), data))
    lines = [base64.b64encode(data).decode() for data in chosen]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def joined(key: bytes, value: object) -> bytes:
    """An input of a key and a value, as ``targets.split`` takes it apart."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return bytes([len(key)]) + key + raw


def seeds(target: str) -> list[bytes]:
    """Valid inputs of a target, and those that were kept."""
    made = {
        "log": _log, "state": _states, "adopt": _states, "vectors": _vectors,
        "manifest": _manifest, "bundle": _bundle_files, "announcement": _announcements,
        "proof": _proven,
    }.get(target)  # fmt: skip
    own = made() if made else [joined(b"c-1", value) for value in VALUES.get(target, ())]
    return [*own, *kept(target)]


VALUES: Final[dict[str, list[object]]] = {
    "native": [
        {"event_id": "e", "user_id": "ann", "item_id": "i1", "action": "click", "time": ISO},
        {"local_id": 93, "items": [{"item_id": "a"}, "b", 3], "time": 1_700_000_000.5},
    ],
    "segment": [
        {"type": "track", "event": "Order Completed", "userId": "ann", "anonymousId": "c-1",
         "messageId": "m", "timestamp": ISO, "sentAt": ISO, "receivedAt": ISO,
         "originalTimestamp": ISO, "properties": {"products": [{"product_id": "a"}]}},
        {"type": "track", "event": "Product Viewed", "userId": "a", "properties": {"sku": 3}},
    ],
    "ga4": [
        {"client_id": "c", "user_id": "ann", "timestamp_micros": 1_700_000_000_000_000,
         "events": [{"name": "purchase", "params": {"items": [{"item_id": "a"}]}}]},
        {"event_name": "view_item", "event_timestamp": "1700000000000000", "user_pseudo_id": "p",
         "items": [{"item_id": "a"}]},
    ],
    "snowplow": [
        {"event_id": "e", "event_name": "product_view", "domain_userid": "c",
         "derived_tstamp": "2023-11-14 22:13:20.000", "ti_sku": "a",
         "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1": [{"id": "a"}]},
        b"\t".join([b"shop", b"web", b"2023-11-14 22:13:20.000"] * 44),
    ],
    "cloudevents": [
        {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.shop.click.v1",
         "time": ISO, "data": {"user_id": "ann", "item_id": "a"}},
        {"user_id": "ann", "item_id": "a"},
    ],
    "links": [{"local_id": "c-1", "user_id": "ann"}, {"user_id": 7}, b""],
    "items": [{"item_id": "c-1", "title": "Kettle", "category": "kitchen"}, b""],
    "control": [
        {"user_id": "c-1", "denied": [{"source": "shop", "target": "*"}]},
        {"user_id": "c-1", "time": ISO}, {"platform": "shop", "local_id": "c-1"}, b"",
    ],
    "letters": [
        {"topic": "shop.click", "partition": 0, "offset": 1, "timestamp_ms": -1, "platform": "shop",
         "reason": "not_json", "field": "", "value": "", "remedy": "", "key": "YQ==", "raw": "e30=",
         "headers": [["a", None]], "truncated": False, "seen_ms": 1, "worker": "0"},
    ],
}  # fmt: skip


def _log() -> list[bytes]:
    via = Via("interest.events", 0, 9)
    records: list[tuple[bytes, LogRecord]] = [
        (b"u/ann", event(START_MS, offset=1)),
        (b"l/shop/c-1", Link(via, "shop", "c-1", "ann", START_MS)),
        (b"l/shop/c-1", Link(via, "shop", "c-1", None, START_MS)),
        (b"u/ann", Adopt(via, "shop", "c-1", b"", START_MS)),
        (b"u/ann", Release(via, "shop", "c-1", START_MS)),
        (b"l/shop/c-1", Announce(via, "shop", "c-1", START_MS)),
        (b"u/ann", Consent(via, True, (("shop", "*"), ("*", "video")), START_MS)),
        (b"u/ann", Erase(via, START_MS, True, False, START_MS)),
        (b"l/shop/c-1", Forget(via, "shop", "c-1", "ann", START_MS, False, START_MS)),
    ]
    return [joined(key, codec.encode(record)) for key, record in records]


def _states() -> list[bytes]:
    """Stored values of users with few and many events, links and wishes; a pointer."""
    updater, store = toy_updater(window=4), MemoryStore()
    via = Via("interest.events", 0, 900)
    records: list[tuple[str, LogRecord]] = [
        *(
            (f"u/{n}", event(START_MS + k, offset=10 * n + k))
            for n in range(4)
            for k in range(3 * n)
        ),
        ("u/1", Consent(via, False, (("shop", "video"),), START_MS)),
        ("u/2", Erase(Via("interest.erasure", 0, 3), START_MS, False, False, START_MS)),
        ("u/3", Adopt(Via("interest.events", 1, 9), "shop", "c-1", b"", START_MS)),
        ("l/shop/c-2", Link(Via("shop.links", 0, 1), "shop", "c-2", "ann", START_MS)),
    ]
    store.write(updater.process([batch(0, 0, records)], store))
    return list(store.values.values())


def _vectors() -> list[bytes]:
    made = []
    for encoding, kind in (("msgpack", b"application/x-msgpack"), ("json", b"application/json")):
        encoder = VectorEncoder("b1", ("video", "shop"), encoding)  # type: ignore[arg-type]
        batch = vector_batch(
            ["c"], np.ones((1, 4)), [0.5, 0.5], users=["ann"], events=2, source_ms=3
        )
        ((_, value),) = encoder.encode("shop", batch, 4)
        made.append(joined(kind, value))
    return made


def _manifest() -> list[bytes]:
    return [(bundle_folder() / "bundle.json").read_bytes()]


def _bundle_files() -> list[bytes]:
    return [bytes([n]) + (bundle_folder() / name).read_bytes() for n, name in enumerate(FILES)]


def _announcements() -> list[bytes]:
    """Announcements of a folder that holds another bundle, and of none; what a worker says."""
    uris = (str(bundle_folder()), bundle_folder().as_uri(), "file://localhost/none", "s3://b/none")
    said = [Announcement("b", uri, "0", "active", "a", 1) for uri in uris]
    said.append(Announcement("b", "/none", "0", "shadow"))
    ranks: dict[str, str | float] = {"platform": "shop", "ranker": "model", "mrr": 0.5}
    status = WorkerStatus("w:1", "a", "s", "b", "damaged", (1, 2), 1_700_000_000_000, (ranks,))
    well = WorkerStatus("w:2", "a", rebuilding=(3,), at_ms=1 << 52, quality=(ranks,))
    records = [*map(encode, said), msgspec.json.encode(status), msgspec.json.encode(well)]
    return [joined(b"b", record) for record in records]


def _proven() -> list[bytes]:
    """What a proof of erasure reads: the log, states, vectors, letters, links and orders."""
    stored = [joined(b"l/shop/c-2", value) for value in _states()]
    said = [
        joined(b"ann", value) for name in ("links", "control", "letters") for value in VALUES[name]
    ]
    return [*_log(), *stored, *_vectors(), *said]
