"""Who takes part: how each is started, where its vectors are, and how they're read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from deploy.kafka.process import free_port
from streams.demo.worker_process import write_config
from streams.log.codec import encode
from streams.log.keys import LOW_40, stable_hash
from streams.log.records import Event
from streams.windows.layout import Layout, entry_items, ring_entries
from streams.windows.stored_value import decode_row
from tests.bench.graph import PLATFORMS
from tests.bench.peers import job
from tests.bench.race.reference import WINDOW
from tests.bench.race.traffic import Traffic

PEER_PYTHON: Final = Path("build/bench-venv/bin/python")
"""Made by ``make bench``; Faust, Quix and Bytewax pin what this project doesn't."""


@dataclass(frozen=True)
class Place:
    """Where a contestant runs.

    Attributes:
        bootstrap: the broker.
        name: of this run: consumer group and prefix of its topics.
        partitions: partitions of each of its topics.
        model: folder of the peers' graph.
        bundle: folder of our bundle.
        folder: for its files.
    """

    bootstrap: str
    name: str
    partitions: int
    model: Path
    bundle: Path
    folder: Path

    @property
    def events(self) -> str:
        """Topic of the log."""
        return f"{self.name}.events"


@dataclass(frozen=True)
class Seen:
    """A vector message.

    Attributes:
        user: user id.
        events: number of events behind it.
        state: the interest vector, which is the state.
    """

    user: str
    events: int
    state: bytes


@dataclass(frozen=True)
class Contestant:
    """One way to do the job.

    Attributes:
        name: short name, as in ``--only``.
        title: for the table.
        command: makes the command line; writes what it needs into the place's folder.
        vectors: topic of the vectors, by run.
        changelog: topic of the stored rows; None where the library keeps them elsewhere.
        read_vector: a vector message from its value.
        read_row: events and item rows (or hashes) of the window, from a stored value.
        topics: topics that must be there before it starts, beside the log.
        read_key: a user's key, from that of a stored value.
        share: part of the events that it gets, so that slow ones end too.
        settle_s: seconds after the last vector until everything is stored and committed.
        of_items: what ``read_row`` says of an item, from its id and row.
        encode: an event's record; peers read MessagePack.
    """

    name: str
    title: str
    command: Callable[[Place], list[str]]
    vectors: Callable[[Place], str]
    changelog: Callable[[Place], str | None]
    read_vector: Callable[[bytes], Seen]
    read_row: Callable[[bytes], tuple[int, NDArray[np.int64]] | None]
    topics: Callable[[Place], list[str]] = field(default=lambda place: [])
    read_key: Callable[[bytes], bytes] = field(default=lambda key: key)
    share: float = 1.0
    settle_s: float = 1.2
    of_items: Callable[[str, int], int] = field(default=lambda name, row: row)
    encode: Callable[[Event], bytes] = msgspec.msgpack.Encoder().encode

    def records(self, place: Place, traffic: Traffic, items: Sequence[str]) -> list[bytes]:
        """The log's records of all events, in the form that it reads."""
        return traffic.records(f"{place.name}.source", 0, len(traffic), items, self.encode)


# -- ours


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
    row, _ = decode_row(layout, value)
    return int(row["counts"].sum()), entry_items(ring_entries(layout, row))


# -- peers


def peer(module: str, python: Path | None = None, **options: Any) -> Callable[[Place], list[str]]:
    """A peer of tests/bench/peers; ``python`` of the benchmark's environment, or our own."""

    def command(place: Place) -> list[str]:
        place.folder.mkdir(parents=True, exist_ok=True)
        setup = job.Setup(
            bootstrap=place.bootstrap,
            group=place.name,
            events=place.events,
            vectors=f"{place.name}.vectors",
            changelog=f"{place.name}.changelog",
            partitions=place.partitions,
            model=str(place.model.resolve()),
            folder=str(place.folder.resolve()),
            options=options,
        )
        path = place.folder / "setup.json"
        path.write_bytes(msgspec.json.encode(setup))
        return [str(python or sys.executable), "-m", f"tests.bench.peers.{module}", str(path)]

    return command


_vector = msgspec.msgpack.Decoder(job.Vector)


def read_peer(value: bytes) -> Seen:
    """A peer's vector message."""
    vector = _vector.decode(value)
    return Seen(vector.user, vector.events, vector.vector)


def peer_row(value: bytes) -> tuple[int, NDArray[np.int64]] | None:
    """Events and window of a peer's stored row."""
    row = np.frombuffer(value, job.ROW)[0]
    count = int(row["count"])
    slots = np.arange(max(0, count - WINDOW), count) % WINDOW
    return count, row["ring"]["item"][slots].astype(np.int64)


def _peer(name: str, title: str, command: Callable[[Place], list[str]], **more: Any) -> Contestant:
    return Contestant(
        name=name,
        title=title,
        command=command,
        vectors=lambda place: f"{place.name}.vectors",
        changelog=more.pop("changelog", lambda place: f"{place.name}.changelog"),
        topics=lambda place: [f"{place.name}.vectors", f"{place.name}.changelog"],
        read_vector=read_peer,
        read_row=peer_row,
        **more,
    )


OURS: Final = Contestant(
    name="ours",
    title="interest-stream worker (RocksDB)",
    command=ours_command,
    vectors=lambda place: f"{place.name}.vectors.{PLATFORMS[0]}",
    changelog=lambda place: f"{place.name}-users-changelog",
    read_vector=read_update,
    read_row=ours_row,
    of_items=lambda name, row: stable_hash(name) & LOW_40,
    encode=encode,
)
LOOP: Final = _peer("loop", "hand-written loop (memory)", peer("loop"))
LOOP_ROCKSDB: Final = _peer(
    "loop-rocksdb", "hand-written loop (RocksDB)", peer("loop", store="rocksdb")
)
BYTEWAX_PARTITION: Final = _peer(
    "bytewax-partition",
    "Bytewax by partition",
    peer("bytewax_partition", PEER_PYTHON),
    changelog=lambda place: None,
)
BYTEWAX_USER: Final = _peer(
    "bytewax-user",
    "Bytewax by user",
    peer("bytewax_user", PEER_PYTHON),
    changelog=lambda place: None,
    share=0.4,
)
QUIX: Final = _peer(
    "quix",
    "Quix Streams (RocksDB)",
    peer("quix", PEER_PYTHON),
    changelog=lambda place: f"changelog__{place.name}--{place.events}--default",
    read_key=lambda key: key.partition(b"|")[0],
    share=0.2,
    settle_s=6.0,
)
FAUST: Final = _peer(
    "faust",
    "stock Faust, agent (RocksDB)",
    peer("faust_agent", PEER_PYTHON),
    changelog=lambda place: f"{place.name}-users-changelog",
    share=0.05,
    settle_s=3.5,
)
FAUST_TAKE: Final = _peer(
    "faust-take",
    "stock Faust, take (RocksDB)",
    peer("faust_take", PEER_PYTHON),
    changelog=lambda place: f"{place.name}-users-changelog",
    share=0.1,
    settle_s=3.5,
)
ALL: Final = (
    OURS,
    LOOP,
    LOOP_ROCKSDB,
    BYTEWAX_PARTITION,
    BYTEWAX_USER,
    QUIX,
    FAUST,
    FAUST_TAKE,
)
CONTESTANTS: Final = {contestant.name: contestant for contestant in ALL}
