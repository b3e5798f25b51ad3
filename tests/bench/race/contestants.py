"""Who takes part: how each is started, where its vectors are, and how they're read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.log.codec import encode
from streams.log.keys import LOW_40, stable_hash
from tests.bench.graph import PLATFORMS
from tests.bench.peers import job
from tests.bench.race.contestant import Contestant, Place, Seen
from tests.bench.race.ours import ours_command, ours_row, read_update
from tests.bench.race.reference import WINDOW

PEER_PYTHON: Final = Path("build/bench-venv/bin/python")
"""Made by ``make bench``; Faust, Quix and Bytewax pin what this project doesn't."""


# -- ours


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
