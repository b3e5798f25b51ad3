"""The files of a bundle's folder: each is checked, then read, and nothing is unpickled.

Every failure is a :class:`BundleError` that names file, field and remedy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from models.contract import FORMAT, Contract, content_id
from models.items.projector import TextProjector
from models.labels import Labels, from_parts
from streams.bundles.graphs import EXPORT_AGAIN
from streams.errors import BundleError

MANIFEST: Final = "bundle.json"
TABLES: Final = ("ids.msgpack", "in.npy", "out.npy")
"""What there must be of each platform's items; ``meta.msgpack`` may be missing."""
WRONG_PARTS: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What comes of JSON and arrays of any other shape than export's."""

F16 = npt.NDArray[np.float16]


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


def read_manifest(folder: Path) -> dict[str, Any]:
    """``bundle.json`` with all of its fields, their contents unchecked.

    Raises:
        BundleError: it is missing, of another format, or lacks a field.
    """
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


def read_contract(folder: Path, manifest: Mapping[str, Any]) -> Contract:
    """The manifest's contract.

    Raises:
        BundleError: a field is missing, unknown, or of another version.
    """
    try:
        return Contract.from_dict(manifest["contract"])
    except (TypeError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST}: {error}; {EXPORT_AGAIN}") from error


def verify_listing(folder: Path, manifest: Mapping[str, Any], contract: Contract) -> None:
    """Everything that will be read has a checksum, and the id is that of these checksums.

    Raises:
        BundleError: something is missing, lies outside the folder, or was changed.
    """
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


def verify_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Every listed file is there, with the listed size and checksum.

    Raises:
        BundleError: one isn't.
    """
    for name, entry in files.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"{file} is missing; {EXPORT_AGAIN}")
        size = file.stat().st_size
        if size != entry["bytes"]:
            wanted = entry["bytes"]
            raise BundleError(f"{file} has {size} bytes, expected {wanted}; {EXPORT_AGAIN}")
        with file.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        if checksum != entry["sha256"]:
            raise BundleError(f"{file} is damaged (its checksum is wrong); {EXPORT_AGAIN}")


def read_items(
    folder: Path, platform: str, contract: Contract, files: Collection[str]
) -> ItemTable:
    """One platform's catalogue; titles only where ``files`` lists them.

    Raises:
        BundleError: a file can't be read, or contradicts the contract.
    """
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


def read_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an ``.npz`` file.

    Raises:
        BundleError: it can't be read.
    """
    try:
        # Opened here: numpy leaves a file open whose zip is damaged.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # as above; and what zip files are damaged by
        raise BundleError(f"{file} can't be read ({error}); {EXPORT_AGAIN}") from error


def read_labels(folder: Path, files: Sequence[str], contract: Contract) -> dict[str, Labels]:
    """Target -> its interest labels; empty without labels.

    Raises:
        BundleError: they can't be read, or are for other targets or vectors.
    """
    if "labels.npz" not in files:
        return {}
    try:
        header = (folder / "labels.json").read_text()
        labels = from_parts(header, read_arrays(folder / "labels.npz"))
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


def read_text(folder: Path, files: Sequence[str], contract: Contract) -> TextProjector | None:
    """What makes vectors from titles; None without text.

    Raises:
        BundleError: it can't be read, or makes vectors of other lengths.
    """
    if "text.npz" not in files:
        return None
    try:
        header = (folder / "text.json").read_text()
        text = TextProjector.from_parts(header, read_arrays(folder / "text.npz"))
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
