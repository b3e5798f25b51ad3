"""A bundle as a method: its graphs step through the histories exactly as the worker does.

Reads the folder's documented files with numpy, msgspec and ONNX Runtime; the worker's loader,
which also checks checksums and golden outputs, is above this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.contract import MIGRATE_INPUTS, STEP_INPUTS, Contract
from models.data.table import EventTable, Int64
from models.errors import DataError
from models.evaluation.bundle_files import read_labels, read_manifest, read_text
from models.evaluation.session import open_session
from models.items.scoring import score_fresh
from models.items.trend import trend_of
from models.labels import Labels
from models.protocols.cases import Cases, Split

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Floating = npt.NDArray[np.floating]
Bool = npt.NDArray[np.bool_]

# Larger batches fall out of the caches of one core.
_BATCH: Final = 1024


@dataclass(frozen=True, slots=True)
class _Walk:
    """What the steps of one table need.

    Attributes:
        table: E events.
        index: int64 [P], the model's index of each platform.
        vectors: for each platform its items' input vectors, float16 [N, D].
        gaps: float32 [E], seconds since the user's previous event.
    """

    table: EventTable
    index: Int64
    vectors: list[Float16]
    gaps: Float32

    def inputs(self, rows: Int64) -> tuple[Float32, Int64, Int64, Float32]:
        """Item vector [n, D], platform, action and dt [n] of n events."""
        platform = self.table.platform[rows]
        item = np.empty((len(rows), self.vectors[0].shape[1]), np.float32)
        for at in np.unique(platform):
            there = platform == at
            item[there] = self.vectors[at][self.table.item[rows[there]]]
        return item, self.index[platform], self.table.action[rows].astype(np.int64), self.gaps[rows]


class ServedBundle:
    """Rank by the interest vectors that a bundle's graphs make of the histories.

    Attributes:
        path: the bundle's folder.
        contract: its dimensions and vocabularies.
        training: what the manifest says about how it was trained.
        labels: target -> its interest labels, empty without any.
    """

    def __init__(self, path: Path) -> None:
        """Open the graphs.

        Raises:
            DataError: the folder isn't a bundle.
        """
        self.path = path
        manifest = read_manifest(path)
        self.contract = Contract.from_dict(manifest["contract"])
        self.training: dict[str, Any] = manifest["training"]
        self._step = open_session(path / "step.onnx")
        self._stored = state_type(self._step)
        self._migrate = open_session(path / "migrate.onnx")
        self._text = read_text(path)
        self._later: Bool | None = None
        self.labels = read_labels(path)

    def fit(self, split: Split, seed: int) -> None:
        """Step through the histories of the split's cases; nothing is learned.

        Under ``temporal`` an item whose first event comes after training is new to the bundle,
        as it is to a worker: it has what its title gives, whatever the bundle's files say.

        Raises:
            DataError: the data has a platform that the bundle doesn't know.
        """
        del seed
        self._split = split
        if split.protocol in ("temporal", "stream"):
            size = int(split.table.item_offsets[-1])
            self._later = np.bincount(split.training.global_item, minlength=size) == 0
        self._index = self.platform_index(split.table)
        self._out = self.outputs(split.table)
        self._trend = trend_of(split, self.contract.trend_days)
        ends = np.concatenate([split.validation.end, split.test.end])
        starts = np.concatenate([split.validation.start, split.test.start])
        self._wanted = np.unique(ends[ends > starts])
        self._states = self.states(split.table, self._wanted)

    def platform_index(self, table: EventTable) -> Int64:
        """int64 [P of the table]: the model's index of each platform.

        Raises:
            DataError: the data has a platform that the bundle doesn't know.
        """
        unknown = set(table.platforms) - set(self.contract.platforms)
        if unknown:
            raise DataError(
                f"{self.path}: the data has platforms {sorted(unknown)}, the bundle knows "
                f"{', '.join(self.contract.platforms)}; train it on this data"
            )
        return np.array([self.contract.platforms.index(p) for p in table.platforms], np.int64)

    def outputs(self, table: EventTable) -> list[Float32]:
        """For each platform of the table its items' output vectors, float32 [N, V].

        NaN stands where the bundle knows nothing: neither the item nor its title's words.
        """
        return [self._output_vectors(table, p) for p in range(len(table.platforms))]

    def scores(self, cases: Cases, target: int) -> Float32:
        """Dot products; an item of which the bundle knows nothing comes last (-inf).

        The trend is counted for each case from the events before it, as a recommender does
        that keeps these columns fresh.
        """
        interests = self.interests(cases, target)
        table = self._split.table
        return score_fresh(interests, self._out[target], self._trend, target, table, cases)

    def interests(self, cases: Cases, target: int) -> Float32:
        """float32 [n, V]: the interest vector for ``target`` after each history."""
        states = np.zeros((len(cases), self.contract.state_size), self._stored)
        known = cases.end > cases.start
        states[known] = self._states[np.searchsorted(self._wanted, cases.end[known])]
        vectors: Float32 = self._migrate.run(None, {MIGRATE_INPUTS[0]: states})[0]
        return vectors[:, self._index[target]]

    def states(self, table: EventTable, ends: Int64) -> Floating:
        """States after the events just before the rows ``ends``, each of a user's own rows.

        Users go together, one event each at a time, as the worker's waves do.

        Args:
            table: events of known platforms.
            ends: int64 [n], ascending and different; row ``end - 1`` is the last event.

        Returns:
            [n, S] as the graphs store them, float16 in a bundle.
        """
        starts = table.user_starts
        owner = table.user[ends - 1]
        first, length = _longest(starts, owner, ends)
        walk = self._walk(table)
        slot = np.full(len(table) + 1, -1, np.int64)
        slot[ends] = np.arange(len(ends))
        kept = np.zeros((len(ends), self.contract.state_size), self._stored)
        states = np.zeros((len(first), self.contract.state_size), self._stored)
        for step in range(int(length.max(initial=0))):
            active = int(np.searchsorted(-length, -step, side="left"))
            rows = first[:active] + step
            states[:active] = self._advance(walk, rows, states[:active])
            done = slot[rows + 1]
            kept[done[done >= 0]] = states[:active][done >= 0]
        return kept

    def step_inputs(self, table: EventTable, rows: Int64) -> dict[str, npt.NDArray[Any]]:
        """What the step graph gets at these events, by input.

        Args:
            table: events of known platforms.
            rows: int64 [n], ascending and different.
        """
        states = np.zeros((len(rows), self.contract.state_size), self._stored)
        later = table.user_starts[table.user[rows]] < rows
        states[later] = self.states(table, rows[later])
        return dict(zip(STEP_INPUTS, (states, *self._walk(table).inputs(rows)), strict=True))

    def _walk(self, table: EventTable) -> _Walk:
        index = self.platform_index(table)
        vectors = [self._input_vectors(table, p) for p in range(len(table.platforms))]
        return _Walk(table, index, vectors, _gaps(table))

    def _advance(self, walk: _Walk, rows: Int64, states: Floating) -> Floating:
        """One event for each of n users: their states before and after, [n, S]."""
        after = np.empty_like(states)
        for begin in range(0, len(rows), _BATCH):
            some = slice(begin, begin + _BATCH)
            feed = (states[some], *walk.inputs(rows[some]))
            batch = dict(zip(STEP_INPUTS, feed, strict=True))
            after[some] = self._step.run(None, batch)[0]
        return after

    def _input_vectors(self, table: EventTable, platform: int) -> Float16:
        """float16 [N, D]: the bundle's row of each item, else from its title, else unknown."""
        name = table.platforms[platform]
        vectors = np.load(self.path / "items" / f"{name}.in.npy", allow_pickle=False)
        row, titles = self._rows(table, platform)
        made: Float16 = vectors[np.where(row >= 0, row, len(vectors) - 1)]
        if self._text and len(titles):
            made[titles] = self._encode(table, platform, titles)[0]
        return made

    def _output_vectors(self, table: EventTable, platform: int) -> Float32:
        name = table.platforms[platform]
        file = self.path / "items" / f"{name}.out.npy"
        vectors = np.load(file, allow_pickle=False).astype(np.float32)
        row, titles = self._rows(table, platform)
        made = np.full((len(row), self.contract.vector_dim), np.nan, np.float32)
        made[row >= 0] = vectors[row[row >= 0]]
        if self._text and len(titles):
            made[titles] = self._encode(table, platform, titles)[1]
        return made

    def _rows(self, table: EventTable, platform: int) -> tuple[Int64, Int64]:
        """The bundle's row of each item (-1: new to it), and which of the new have a title."""
        row = self._row_of_each(table, platform)
        if self._later is not None:
            first = int(table.item_offsets[platform])
            row[self._later[first : first + len(row)]] = -1
        titled = np.array([bool(title) for title in table.items[platform].titles], bool)
        return row, np.flatnonzero((row < 0) & titled)

    def _row_of_each(self, table: EventTable, platform: int) -> Int64:
        """int64 [N of the table]: the row in the bundle's files, -1 for none."""
        name = table.platforms[platform]
        ids = msgspec.msgpack.decode(
            (self.path / "items" / f"{name}.ids.msgpack").read_bytes(), type=list[str]
        )
        known = {item: row for row, item in enumerate(ids)}
        return np.array([known.get(item, -1) for item in table.items[platform].ids], np.int64)

    def item_labels(self, table: EventTable, platform: int, labels: Labels) -> Int64:
        """int64 [N of the table]: label of each item, -1 for none or an unknown item."""
        row = self._row_of_each(table, platform)
        return np.where(row >= 0, labels.items[np.maximum(row, 0)], -1).astype(np.int64)

    def _encode(self, table: EventTable, platform: int, items: Int64) -> tuple[Float16, Float16]:
        assert self._text is not None
        titles = [table.items[platform].titles[item] for item in items]
        return self._text.encode(table.platforms[platform], titles)


def state_type(graph: ort.InferenceSession) -> type[np.floating]:
    """How a graph has states: float16 in a bundle; float32 where the two are compared."""
    kinds = {value.name: value.type for value in graph.get_inputs()}
    return np.float32 if kinds[STEP_INPUTS[0]] == "tensor(float)" else np.float16


def _longest(starts: Int64, owner: Any, ends: Int64) -> tuple[Int64, Int64]:
    """First row and number of needed events of each user with an end, longest first."""
    users, inverse = np.unique(owner, return_inverse=True)
    last = np.zeros(len(users), np.int64)
    np.maximum.at(last, inverse, ends)
    length = last - starts[users]
    order = np.argsort(-length, kind="stable")
    return starts[users][order], length[order]


def _gaps(table: EventTable) -> Float32:
    """float32 [E]: seconds since the same user's previous event, 0 for the first."""
    gaps = np.zeros(len(table), np.float32)
    same = table.user[1:] == table.user[:-1]
    gaps[1:][same] = (np.diff(table.time_ms)[same] / 1000).astype(np.float32)
    return gaps
