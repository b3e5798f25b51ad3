"""How our worker takes part: settings, command, what is read from its topics."""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deploy.kafka.process import free_port
from streams.demo.worker_process import write_config
from streams.windows.layout import Layout, entry_items, ring_entries
from streams.windows.stored_value import decode_value
from tests.bench.peers import job
from tests.bench.race.contestant import Place, Seen


def ours_settings(place: Place, **sections: dict[str, Any]) -> dict[str, Any]:
    """A worker's settings: the defaults, but names, addresses and partitions."""
    made: dict[str, Any] = {
        "service": {
            "name": place.name,
            "bundle": place.bundle.resolve(),
            "state_dir": (place.folder / "state").resolve(),
        },
        # The benchmark holds a process while it fills its topic.
        "kafka": {"bootstrap": [place.bootstrap], "session_timeout_s": 30},
        "intake": {"partitions": place.partitions},
        "events": {"topic": place.events, "partitions": place.partitions},
        "output": {
            "topic": f"{place.name}.vectors.{{target}}",
            "partitions": place.partitions,
        },
        "deadletter": {"topic": f"{place.name}.deadletter"},
        "consent": {"topic": f"{place.name}.consent"},
        "erasure": {"topic": f"{place.name}.erasure"},
        "http": {"port": free_port()},
    }
    for name, section in sections.items():
        made[name] = {**made.get(name, {}), **section}
    contract = json.loads((place.bundle / "bundle.json").read_text())["contract"]
    names = contract["platforms"]
    made["platforms"] = [ours_platform(place, name) for name in names]
    return made


def ours_platform(place: Place, name: str) -> dict[str, Any]:
    """One platform with shared ids."""
    topics = {action: [f"{place.name}.{name}.{action}"] for action in job.ACTIONS}
    return {"name": name, "topics": topics, "items": f"{place.name}.{name}.items"}


def ours_command(place: Place, **sections: dict[str, Any]) -> list[str]:
    """The real worker."""
    place.folder.mkdir(parents=True, exist_ok=True)
    config = place.folder / "worker.toml"
    write_config(config, ours_settings(place, **sections))
    return [sys.executable, "-m", "streams.cli", "worker", "--config", str(config)]


class Update(msgspec.Struct):
    """The fields of our vector message that are checked; the vector as it is on the wire."""

    id: str
    events: int
    vector: bytes


_update = msgspec.msgpack.Decoder(Update)


def read_update(value: bytes) -> Seen:
    """Our vector message."""
    update = _update.decode(value)
    return Seen(update.id, update.events, update.vector)


def ours_row(value: bytes) -> tuple[int, NDArray[np.int64]] | None:
    """Events and window of a stored user; None for what else is in the table."""
    if len(value) < 40 or value[0] >> 4 != 1:
        return None
    layout = Layout(value[1], 8 * value[3], value[2])
    row, _ = decode_value(layout, value)
    return int(row["counts"].sum()), entry_items(ring_entries(layout, row))
