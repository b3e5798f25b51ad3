"""Load a bundle and prove that it is whole before anything is served from it.

Checked, in this order: the manifest, that each file which will be read has a checksum, that the
bundle's id is that of the checksums, every file's checksum, the items' and the graphs' shapes and
dtypes against the contract, and the golden inputs, which run through ONNX Runtime and must give
the outputs that export wrote down. No file is parsed before its checksum was right, and nothing
is unpickled. Numpy and ONNX Runtime only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from models.contract import FORMAT, HALVES, MIGRATE_INPUTS, STEP_INPUTS, Contract, content_id
from models.labels import Labels, from_parts
from models.projector import TextProjector
from streams.errors import BundleError
from streams.interest.graphs import EXPORT_AGAIN, StepHalves, open_graph, verify_graphs

MANIFEST: Final = "bundle.json"
# One unit in the last place of float16 is 1e-3 of a value: another CPU may round a golden
# output once the other way, and the difference passes through both blocks and the head.
GOLDEN_TOLERANCE: Final = 1e-2
TABLES: Final = ("ids.msgpack", "in.npy", "out.npy")
"""What there must be of each platform's items; ``meta.msgpack`` may be missing."""
WRONG_PARTS: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What comes of JSON and arrays of any other shape than export's."""
_CHUNK: Final = 1 << 20

F16 = npt.NDArray[np.float16]


class Session(Protocol):
    """The part of ``onnxruntime.InferenceSession`` that the golden check uses."""

    def run(self, output_names: Any, input_feed: Any) -> Any:
        """Outputs of the graph for a dictionary of inputs."""


@dataclass(frozen=True)
class ItemTable:
    """The catalogue of one platform, memory-mapped.

    Attributes:
        id_list: N item ids; position = row.
        vectors_in: float16[N + 1, D]; row N stands for an item that training never saw.
        vectors_out: float16[N, V]; score of an item = dot(interest vector, its row).
        meta: N dictionaries with ``title`` and ``category``, or None.
    """

    id_list: list[str]
    vectors_in: F16
    vectors_out: F16
    meta: list[dict[str, str]] | None

    @cached_property
    def ids(self) -> dict[str, int]:
        """Item id -> row."""
        return {item: row for row, item in enumerate(self.id_list)}

    @property
    def unknown_row(self) -> int:
        """Row of ``vectors_in`` for an item that isn't in ``ids``."""
        return len(self.id_list)


@dataclass(frozen=True)
class Bundle:
    """A verified bundle folder.

    Attributes:
        path: the folder.
        bundle_id: hash of the content.
        contract: dimensions and vocabularies.
        metrics: what training and export measured.
        training: how it was trained (data, seed, preset).
        items: platform -> catalogue.
        text: makes vectors from titles, None where the bundle has no text.
        labels: target -> shares of interest labels from a vector, empty without labels.
        has_halves: the bundle has its step in two halves too.
    """

    path: Path
    bundle_id: str
    contract: Contract
    metrics: dict[str, Any]
    training: dict[str, Any]
    items: dict[str, ItemTable]
    text: TextProjector | None
    golden: dict[str, npt.NDArray[Any]] = field(repr=False)
    labels: dict[str, Labels] = field(default_factory=dict, repr=False)
    has_halves: bool = False

    @property
    def halves(self) -> tuple[Path, Path] | None:
        """The two halves of the step graph, where the bundle has them."""
        enter, recur = (self.path / name for name in HALVES)
        return (enter, recur) if self.has_halves else None

    @property
    def step_path(self) -> Path:
        """The graph that applies one event to a state."""
        return self.path / "step.onnx"

    @property
    def migrate_path(self) -> Path:
        """The graph that makes a state's interest vectors."""
        return self.path / "migrate.onnx"

    @classmethod
    def load(cls, path: Path | str) -> Bundle:
        """Load and verify.

        Raises:
            BundleError: a file is missing, damaged, or contradicts the contract.
        """
        folder = Path(path)
        manifest = _read_manifest(folder)
        contract = _read_contract(folder, manifest)
        _verify_listing(folder, manifest, contract)
        _verify_files(folder, manifest["files"])
        files = manifest["files"]
        items = {name: _read_items(folder, name, contract, files) for name in contract.platforms}
        bundle = cls(
            path=folder,
            bundle_id=str(manifest["bundle_id"]),
            contract=contract,
            metrics=dict(manifest["metrics"]),
            training=dict(manifest["training"]),
            items=items,
            text=_read_text(folder, manifest["files"], contract),
            golden=_read_arrays(folder / "golden.npz"),
            labels=_read_labels(folder, manifest["files"], contract),
            has_halves=files.keys() >= set(HALVES),
        )
        step, migrate = (open_graph(graph) for graph in (bundle.step_path, bundle.migrate_path))
        verify_graphs(bundle.contract, folder, step, migrate)
        bundle.verify_outputs(step, migrate)
        bundle.verify_halves(step)
        return bundle

    def verify_outputs(self, step: Session, migrate: Session) -> None:
        """Run the golden inputs through sessions (of any provider) of this bundle.

        Raises:
            BundleError: an output differs from export's by more than ``GOLDEN_TOLERANCE``.
        """
        feeds = {name: self._golden(f"step_{name}") for name in STEP_INPUTS}
        expected_state = self._golden("step_next_state")
        self._compare("step.onnx", step.run(None, feeds)[0], expected_state)
        interests = migrate.run(None, {MIGRATE_INPUTS[0]: expected_state})[0]
        self._compare("migrate.onnx", interests, self._golden("migrate_interests"))

    def verify_halves(self, step: Session) -> None:
        """The step in two halves gives what the step gives, to the bit.

        Raises:
            BundleError: it doesn't.
        """
        if self.halves is None:
            return
        feeds = {name: self._golden(f"step_{name}") for name in STEP_INPUTS}
        whole = step.run(None, feeds)[0]
        halves = StepHalves(*map(open_graph, self.halves))
        entered = halves.enter(*(feeds[name] for name in STEP_INPUTS[1:]))
        if halves.recur(feeds["state"], entered).tobytes() != whole.tobytes():
            raise BundleError(
                f"{self.path}: {' and '.join(HALVES)} give another state than step.onnx; "
                f"{EXPORT_AGAIN}"
            )

    def _golden(self, name: str) -> npt.NDArray[Any]:
        if name not in self.golden:
            raise BundleError(f"{self.path / 'golden.npz'} lacks {name!r}; {EXPORT_AGAIN}")
        return self.golden[name]

    def _compare(self, graph: str, got: npt.NDArray[Any], want: npt.NDArray[Any]) -> None:
        where = f"{self.path / graph}: golden output"
        if got.shape != want.shape or got.dtype != want.dtype:
            raise BundleError(
                f"{where} is {got.dtype}{list(got.shape)}, "
                f"expected {want.dtype}{list(want.shape)}; {EXPORT_AGAIN}"
            )
        worst = float(np.max(np.abs(got.astype(np.float64) - want.astype(np.float64))))
        limit = GOLDEN_TOLERANCE * max(1.0, float(np.max(np.abs(want.astype(np.float64)))))
        if not worst <= limit:
            raise BundleError(
                f"{where} differs by {worst:.3g} (at most {limit:.3g} is rounding): the graph "
                f"and the golden file are of different exports; {EXPORT_AGAIN}"
            )


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise BundleError(
            f"{folder} has no {MANIFEST}; make a bundle with `interest-stream train DATA "
            f"--out {folder}` or name the folder of an existing one"
        )
    try:
        manifest = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file} isn't JSON ({error}); {EXPORT_AGAIN}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise BundleError(f"{file}: format is {found!r}, this version reads {FORMAT}")
    for name in ("bundle_id", "contract", "metrics", "training", "files"):
        if name not in manifest:
            raise BundleError(f"{file}: field {name!r} is missing; {EXPORT_AGAIN}")
    for name in ("contract", "metrics", "training", "files"):
        if not isinstance(manifest[name], dict):
            raise BundleError(f"{file}: field {name!r} isn't an object; {EXPORT_AGAIN}")
    return manifest


def _read_contract(folder: Path, manifest: Mapping[str, Any]) -> Contract:
    try:
        return Contract.from_dict(manifest["contract"])
    except (TypeError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST}: {error}; {EXPORT_AGAIN}") from error


def _verify_listing(folder: Path, manifest: Mapping[str, Any], contract: Contract) -> None:
    """Everything that will be read has a checksum, and the id is that of these checksums."""
    where, files = folder / MANIFEST, manifest["files"]
    try:
        made = content_id(manifest["contract"], files)
        named = {name for name, entry in files.items() if isinstance(entry["bytes"], int)}
    except (AttributeError, KeyError, TypeError) as error:
        raise BundleError(f"{where}: field 'files' can't be read; {EXPORT_AGAIN}") from error
    tables = {f"items/{p}.{end}" for p in contract.platforms for end in TABLES}
    needed = {"step.onnx", "migrate.onnx", "golden.npz", *tables}
    needed |= {f"{stem}.json" for stem in ("text", "labels") if f"{stem}.npz" in named}
    if missing := sorted(needed - named):
        raise BundleError(f"{where} has no checksum of {', '.join(missing)}; {EXPORT_AGAIN}")
    for name in named:
        if "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise BundleError(f"{where} names {name!r}, outside its folder; {EXPORT_AGAIN}")
    if manifest["bundle_id"] != made:
        raise BundleError(
            f"{where} says that it is {manifest['bundle_id']!r}, its contents are {made!r}: "
            f"something was changed after the export; {EXPORT_AGAIN}"
        )


def _verify_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    for name, entry in files.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"{file} is missing; {EXPORT_AGAIN}")
        size = file.stat().st_size
        if size != entry["bytes"]:
            wanted = entry["bytes"]
            raise BundleError(f"{file} has {size} bytes, expected {wanted}; {EXPORT_AGAIN}")
        if _sha256(file) != entry["sha256"]:
            raise BundleError(f"{file} is damaged (its checksum is wrong); {EXPORT_AGAIN}")


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read_items(
    folder: Path, platform: str, contract: Contract, files: Collection[str]
) -> ItemTable:
    stem = folder / "items" / platform
    ids = _unpack(Path(f"{stem}.ids.msgpack"), list[str])
    meta_file = Path(f"{stem}.meta.msgpack")
    # Only what has a checksum is read.
    listed = f"items/{platform}.meta.msgpack" in files
    meta = _unpack(meta_file, list[dict[str, str]]) if listed else None
    table = ItemTable(
        id_list=ids,
        vectors_in=_vectors(Path(f"{stem}.in.npy"), (len(ids) + 1, contract.item_dim)),
        vectors_out=_vectors(Path(f"{stem}.out.npy"), (len(ids), contract.vector_dim)),
        meta=meta,
    )
    if len(table.ids) != len(ids):
        raise BundleError(f"{stem}.ids.msgpack has an item id twice; {EXPORT_AGAIN}")
    if meta is not None and len(meta) != len(ids):
        raise BundleError(f"{meta_file} has {len(meta)} entries for {len(ids)} items")
    return table


def _unpack(file: Path, type_: Any) -> Any:
    try:
        return msgspec.msgpack.decode(file.read_bytes(), type=type_)
    except FileNotFoundError as error:
        raise BundleError(f"{file} is missing; {EXPORT_AGAIN}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleError(f"{file} can't be read ({error}); {EXPORT_AGAIN}") from error


def _vectors(file: Path, shape: tuple[int, int]) -> F16:
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy reads headers with Python's parser, which raises anything
        raise BundleError(f"{file} can't be read ({error}); {EXPORT_AGAIN}") from error
    if vectors.shape != shape or vectors.dtype != np.float16:
        raise BundleError(
            f"{file} holds {vectors.dtype}{list(vectors.shape)}, expected float16{list(shape)}; "
            f"{EXPORT_AGAIN}"
        )
    return vectors  # type: ignore[no-any-return]


def _read_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        # Opened here: numpy leaves a file open whose zip is damaged.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # as above; and what zip files are damaged by
        raise BundleError(f"{file} can't be read ({error}); {EXPORT_AGAIN}") from error


def _read_labels(folder: Path, files: Sequence[str], contract: Contract) -> dict[str, Labels]:
    if "labels.npz" not in files:
        return {}
    try:
        header = (folder / "labels.json").read_text()
        labels = from_parts(header, _read_arrays(folder / "labels.npz"))
    except WRONG_PARTS as error:
        raise BundleError(f"{folder / 'labels.json'}: {error}; {EXPORT_AGAIN}") from error
    for target, found in labels.items():
        if target not in contract.platforms or len(found.weight) != contract.vector_dim:
            raise BundleError(
                f"{folder / 'labels.npz'}: labels of {target!r} for vectors of "
                f"{len(found.weight)}, the contract has {', '.join(contract.platforms)} and "
                f"{contract.vector_dim}; {EXPORT_AGAIN}"
            )
    return labels


def _read_text(folder: Path, files: Sequence[str], contract: Contract) -> TextProjector | None:
    if "text.npz" not in files:
        return None
    try:
        header = (folder / "text.json").read_text()
        text = TextProjector.from_parts(header, _read_arrays(folder / "text.npz"))
    except WRONG_PARTS as error:
        raise BundleError(f"{folder / 'text.json'}: {error}; {EXPORT_AGAIN}") from error
    got = (text.platforms, text.in_offset.shape[1], text.out_offset.shape[1])
    want = (contract.platforms, contract.item_dim, contract.vector_dim)
    if got != want:
        raise BundleError(
            f"{folder / 'text.npz'} makes vectors for (platforms, D, V) = {got}, "
            f"the contract says {want}; {EXPORT_AGAIN}"
        )
    return text
