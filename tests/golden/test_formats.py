"""What version 0.1 wrote before the tree was put into rooms is read as it was, and written alike.

That version made the files under ``v0.1/`` from a replay with links, consent, erasures, late events
and a bundle renewed: a stored value, a record of the log, a vector message and a dead letter of
every kind, with what they meant, and a worker's RocksDB.
"""

from __future__ import annotations

import base64
import gc
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streams.intake.dead_letters import dead_letter
from streams.log import codec
from streams.runtime.bundles import announcement
from streams.runtime.table.user_store import open_store
from streams.subscribe.schema import decode as decode_vector
from streams.windows.layout import Layout, entry_items, entry_times, ring_entries
from streams.windows.stored_tail import encode_tail
from streams.windows.stored_value import decode_pointer, decode_value, encode_pointer, encode_row
from tests.unit.streams.runtime.fakes import make_app

FOLDER = Path(__file__).parent / "v0.1"
GOLDEN: dict[str, Any] = json.loads((FOLDER / "formats.json").read_text(encoding="utf-8"))
LAYOUT = Layout(*GOLDEN["layout"])
STORED: list[dict[str, Any]] = GOLDEN["stored"]


def of(entry: dict[str, Any], name: str = "value") -> bytes:
    return base64.b64decode(entry[name])


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def states() -> list[dict[str, Any]]:
    return [entry for entry in STORED if entry["kind"].startswith("state")]


@pytest.mark.parametrize("entry", states(), ids=lambda entry: entry["kind"])
def test_a_stored_state_means_the_same_and_is_written_alike(entry: dict[str, Any]) -> None:
    value, told = of(entry), dict(entry["decoded"])
    row, tail = decode_value(LAYOUT, value)
    ring = ring_entries(LAYOUT, row)
    assert entry_times(ring, int(row["base_ms"])).tolist() == told.pop("times_ms")
    assert entry_items(ring).tolist() == told.pop("items")
    assert [ring["kind"].tolist(), ring["event"].tolist()] == [
        told.pop("kinds"),
        told.pop("events"),
    ]
    both = b"".join(row[name].tobytes() for name in ("current", "middle", "base"))
    assert both == base64.b64decode(told.pop("states"))
    assert {name: row[name].tolist() for name in told} == told
    assert plain(tail) == entry["tail"]
    raw = memoryview(np.array(row).tobytes())
    assert encode_row(LAYOUT, raw, encode_tail(tail.local_ids, tail.privacy)) == value


def test_pointers_mean_the_same() -> None:
    pointers = [entry for entry in STORED if entry["kind"] == "pointer"]
    assert pointers
    for entry in pointers:
        assert decode_pointer(of(entry)) == entry["user"]
        assert encode_pointer(entry["user"]) == of(entry)


@pytest.mark.parametrize("entry", GOLDEN["log"], ids=lambda entry: entry["kind"])
def test_a_record_of_the_log_means_the_same_and_is_written_alike(entry: dict[str, Any]) -> None:
    record = codec.decode(of(entry))
    assert (type(record).__name__, plain(record)) == (entry["kind"], entry["decoded"])
    assert codec.encode(record) == of(entry)


@pytest.mark.parametrize("entry", GOLDEN["vectors"], ids=lambda entry: entry["encoding"])
def test_a_vector_message_means_the_same(entry: dict[str, Any]) -> None:
    headers = [(name, base64.b64decode(raw)) for name, raw in entry["headers"]]
    update = decode_vector(of(entry), headers)
    for name, value in entry["decoded"].items():
        found = getattr(update, name)
        assert (found.tolist() if name == "vector" else plain(found)) == value, name


@pytest.mark.parametrize(
    "entry", GOLDEN["dead_letters"], ids=lambda entry: entry["decoded"]["reason"]
)
def test_a_dead_letter_means_the_same_and_is_written_alike(entry: dict[str, Any]) -> None:
    letter = dead_letter.decode(of(entry))
    assert plain(letter) == entry["decoded"]
    assert dead_letter.encode(letter) == of(entry)


def test_an_announcement_is_written_alike() -> None:
    for entry in GOLDEN["announcements"]:
        made = msgspec.convert(entry["decoded"], announcement.Announcement)
        assert announcement.encode(made) == of(entry)


def test_a_store_of_before_is_opened_and_read(tmp_path: Path) -> None:
    app = make_app("rocksdb://", tmp_path)
    table: Any = app.Table("users", key_type=bytes, value_type=bytes, partitions=4)
    folder = Path(table.data.partition_path(0))
    shutil.copytree(FOLDER / "store", folder)
    keys = [entry["key"] for entry in STORED]
    try:
        assert open_store(table).get_many(0, keys) == [of(entry) for entry in STORED]
        assert not list(folder.parent.glob("*damaged*"))
    finally:
        table.data._dbs.clear()
        gc.collect()
