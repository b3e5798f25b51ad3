"""What all peers share: reading a record, the model, a user's row, the messages out.

numpy, msgspec and ONNX Runtime only. The job: per user a window of 64 events and the state of
a GRU; one step for each event; the row to a changelog, the state to whoever subscribes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

WIDTH: Final = 128
WINDOW: Final = 64
ACTIONS: Final = {"browse": 0, "click": 1, "purchase": 2}
ENTRY: Final = np.dtype([("time_ms", "<i8"), ("item", "<u4"), ("action", "u1")])
ROW: Final = np.dtype(
    [
        ("count", "<u4"),
        ("last_ms", "<i8"),
        ("state", "<f2", (WIDTH,)),
        ("ring", ENTRY, (WINDOW,)),
    ]
)
"""A user as it is stored; event number k of a user lies in slot k % WINDOW of the ring."""


class Setup(msgspec.Struct, frozen=True):
    """What a peer is told: the broker, its topics, where the model is, and options."""

    bootstrap: str
    group: str
    events: str
    vectors: str
    changelog: str
    partitions: int
    model: str
    folder: str
    options: dict[str, Any] = {}


def read_setup() -> Setup:
    """The setup from the file that the command line names."""
    return msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Setup)


class Event(msgspec.Struct, array_like=True, tag="e", gc=False):
    """A record of the log, as ``streams.log.records`` writes it."""

    via: msgspec.Raw
    platform: str
    action: str
    item: str
    time_ms: int
    event_hash: int
    source_ms: int


class Vector(msgspec.Struct, array_like=True, gc=False):
    """A vector message: who, after how many events, as of when, sent when, float16 bytes."""

    user: str
    events: int
    as_of_ms: int
    published_ms: int
    vector: bytes


decode_event = msgspec.msgpack.Decoder(Event).decode
encode_vector = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class Columns:
    """A batch of events as columns: user slot, time, item row, action; all [n]."""

    slot: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    item: NDArray[np.int64]
    action: NDArray[np.int64]


class Model:
    """The step graph in ONNX Runtime, on one thread."""

    def __init__(self, folder: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        path = str(Path(folder) / "step.onnx")
        self._run = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run
        names = json.loads((Path(folder) / "items.json").read_text())
        self.item = {name: row for row, name in enumerate(names)}
        self.unknown = len(names)

    def step(
        self,
        state: NDArray[np.float16],
        row: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> NDArray[np.float16]:
        """States [B, S] after one event each."""
        feeds = {"state": state, "row": row, "action": action, "dt": dt}
        result: NDArray[np.float16] = self._run(None, feeds)[0]
        return result


class Users:
    """Rows of users by key, and the batch step in waves."""

    def __init__(self, model: Model, capacity: int = 1024) -> None:
        self._model = model
        self._slots: dict[bytes, int] = {}
        self.keys: list[bytes] = []
        self._rows = np.zeros(capacity, ROW)

    def put(self, key: bytes, value: bytes) -> None:
        """A stored row comes back."""
        self._rows[self.slots([key])[0]] = np.frombuffer(value, ROW)[0]

    def slots(self, keys: Sequence[bytes]) -> list[int]:
        """Slots of users; unknown ones get a new one."""
        known = self._slots
        found = [known.get(key, -1) for key in keys]
        if -1 in found:
            for place, key in enumerate(keys):
                if found[place] < 0:
                    if key not in known:
                        known[key] = len(known)
                        self.keys.append(key)
                    found[place] = known[key]
            while len(known) > len(self._rows):
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        return found

    def columns(self, keys: Sequence[bytes], values: Sequence[bytes]) -> Columns:
        """Decode a batch."""
        events = list(map(decode_event, values))
        item, unknown = self._model.item.get, self._model.unknown
        return Columns(
            np.array(self.slots(keys), np.int64),
            np.array([e.time_ms for e in events], np.int64),
            np.array([item(e.item, unknown) for e in events], np.int64),
            np.array([ACTIONS[e.action] for e in events], np.int64),
        )

    def apply(self, batch: Columns) -> NDArray[np.int64]:
        """Take all steps of a batch; the slots that changed."""
        rows = self._rows
        order = np.argsort(batch.slot, kind="stable")
        slot, time_ms = batch.slot[order], batch.time_ms[order]
        changed, start, size = np.unique(slot, return_index=True, return_counts=True)
        rank = np.arange(len(slot)) - np.repeat(start, size)
        before = rows["count"][changed].astype(np.int64)
        number = np.repeat(before, size) + rank
        previous = np.empty_like(time_ms)
        previous[1:] = time_ms[:-1]
        previous[start] = np.where(before > 0, rows["last_ms"][changed], time_ms[start])
        dt = ((time_ms - previous) / 1000.0).astype(np.float32)
        item, action = batch.item[order], batch.action[order]
        self._waves(slot, rank, item, action, dt)
        self._remember(slot, number, np.repeat(size, size) - rank, time_ms, item, action)
        rows["count"][changed] += size.astype(np.uint32)
        rows["last_ms"][changed] = time_ms[start + size - 1]
        return changed

    def _waves(
        self,
        slot: NDArray[np.int64],
        rank: NDArray[np.int64],
        item: NDArray[np.int64],
        action: NDArray[np.int64],
        dt: NDArray[np.float32],
    ) -> None:
        waves = np.argsort(rank, kind="stable")
        slot, item, action, dt = slot[waves], item[waves], action[waves], dt[waves]
        states, step, begin = self._rows["state"], self._model.step, 0
        for count in np.bincount(rank).tolist():
            wave = slice(begin, begin + count)
            users = slot[wave]
            states[users] = step(states[users], item[wave], action[wave], dt[wave])
            begin += count

    def _remember(
        self,
        slot: NDArray[np.int64],
        number: NDArray[np.int64],
        to_come: NDArray[np.int64],
        time_ms: NDArray[np.int64],
        item: NDArray[np.int64],
        action: NDArray[np.int64],
    ) -> None:
        kept = to_come <= WINDOW
        entries = np.empty(int(kept.sum()), ENTRY)
        entries["time_ms"], entries["item"] = time_ms[kept], item[kept]
        entries["action"] = action[kept]
        self._rows["ring"][slot[kept], number[kept] % WINDOW] = entries

    def all(self) -> list[tuple[bytes, bytes]]:
        """Every user's key and row."""
        used = np.arange(len(self.keys))
        return list(zip(self.keys, self.stored(used), strict=True))

    def stored(self, changed: NDArray[np.int64]) -> list[bytes]:
        """Rows as they are stored."""
        return pieces(self._rows[changed])

    def vectors(self, changed: NDArray[np.int64]) -> list[bytes]:
        """Vector messages of rows."""
        rows, keys = self._rows[changed], self.keys
        now = time.time_ns() // 1_000_000
        made = map(
            Vector,
            [keys[slot][2:].decode() for slot in changed.tolist()],
            rows["count"].tolist(),
            rows["last_ms"].tolist(),
            [now] * len(rows),
            pieces(np.ascontiguousarray(rows["state"])),
        )
        return list(map(encode_vector, made))


def pieces(rows: NDArray[Any]) -> list[bytes]:
    """Each row of a contiguous array as bytes."""
    size = rows.nbytes // max(1, len(rows))
    cut: list[bytes] = rows.reshape(len(rows), -1).view(f"V{size}")[:, 0].tolist()
    return cut


class OneByOne:
    """A step for a single user: what a function called for each event does."""

    def __init__(self, folder: str) -> None:
        self._model = Model(folder)

    def apply(self, stored: bytes | None, event: Event) -> bytes:
        """The user's row after an event."""
        row = np.zeros((), ROW) if stored is None else np.frombuffer(stored, ROW)[0].copy()
        count = int(row["count"])
        item = self._model.item.get(event.item, self._model.unknown)
        action = ACTIONS[event.action]
        seconds = (event.time_ms - int(row["last_ms"])) / 1000.0 if count else 0.0
        after = self._model.step(
            row["state"][None],
            np.array([item]),
            np.array([action]),
            np.array([seconds], np.float32),
        )
        row["state"] = after[0]
        row["ring"][count % WINDOW] = (event.time_ms, item, action)
        row["count"], row["last_ms"] = count + 1, event.time_ms
        return row.tobytes()

    def vector(self, user: str, stored: bytes) -> bytes:
        """The vector message of a row."""
        row = np.frombuffer(stored, ROW)[0]
        message = Vector(
            user,
            int(row["count"]),
            int(row["last_ms"]),
            time.time_ns() // 1_000_000,
            row["state"].tobytes(),
        )
        return encode_vector(message)
