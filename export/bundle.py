"""Write a bundle: what training hands to the worker, as a folder.

    bundle.json                 manifest: contract, metrics, checksums
    step.onnx  migrate.onnx     the graphs (see ``models.contract``)
    enter.onnx  recur.onnx      the halves of step.onnx (see ``export.halves``)
    chain.onnx                  the second half over several events of the same users
    items/{platform}.ids.msgpack   list[str]; position = row of the vectors
    items/{platform}.in.npy        float16 [N + 1, D]; row N = the platform's unknown item
    items/{platform}.out.npy       float16 [N, V]
    items/{platform}.meta.msgpack  optional list of {"title", "category"}
    text.npz  text.json         optional: title -> vectors (``models.items.projector``)
    labels.npz  labels.json     optional: vector -> interest labels (``models.labels``)
    golden.npz                  inputs and outputs of both graphs, checked at each load

``bundle_id`` is a hash of the content: two trainings with the same result have one id.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from export.halves import chain, split_step
from models.contract import CHAIN, FORMAT, HALVES, MIGRATE_INPUTS, STEP_INPUTS, Contract, content_id
from models.errors import ExportError
from models.evaluation.session import open_session
from models.items.projector import TextProjector
from models.labels import Labels, to_parts

MANIFEST: Final = "bundle.json"
_GOLDEN_ROWS: Final = 8


@dataclass(frozen=True)
class PlatformItems:
    """The catalogue of one platform.

    Attributes:
        ids: N item ids.
        vectors_in: float[N + 1, D]; the last row stands for an unknown item.
        vectors_out: float[N, V].
        meta: N dictionaries with ``title`` and ``category``, or None.
    """

    ids: Sequence[str]
    vectors_in: npt.NDArray[Any]
    vectors_out: npt.NDArray[Any]
    meta: Sequence[Mapping[str, str]] | None = None


@dataclass(frozen=True)
class BundleParts:
    """All that a bundle is written from."""

    contract: Contract
    step: bytes
    migrate: bytes
    items: Mapping[str, PlatformItems]
    text: TextProjector | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    metrics: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None


def write_bundle(path: Path, parts: BundleParts, created: datetime | None = None) -> str:
    """Write the folder ``path`` and return its bundle id.

    The folder appears whole or not at all: it is written beside ``path`` and then moved,
    replacing an earlier bundle there.

    Raises:
        ExportError: the parts contradict the contract, or ``path`` holds something else.
    """
    _check(parts)
    if path.exists() and not (path / MANIFEST).is_file():
        raise ExportError(f"{path} exists and isn't a bundle; name another folder")
    draft = path.with_name(path.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "items").mkdir(parents=True)
    _write_files(draft, parts)
    bundle_id = _write_manifest(draft, parts, created or datetime.now(UTC))
    if path.exists():
        shutil.rmtree(path)
    draft.rename(path)
    return bundle_id


def _check(parts: BundleParts) -> None:
    contract = parts.contract
    if set(parts.items) != set(contract.platforms):
        raise ExportError(
            f"items are given for {sorted(parts.items)}, "
            f"the contract names {sorted(contract.platforms)}: give each platform its items"
        )
    for name, items in parts.items.items():
        rows = len(items.ids)
        for column, got, want in (
            ("vectors_in", items.vectors_in.shape, (rows + 1, contract.item_dim)),
            ("vectors_out", items.vectors_out.shape, (rows, contract.vector_dim)),
            ("meta", (len(items.meta or items.ids),), (rows,)),
        ):
            if got != want:
                raise ExportError(f"{column} of platform {name!r} is {got}, expected {want}")


def _write_files(folder: Path, parts: BundleParts) -> None:
    (folder / "step.onnx").write_bytes(parts.step)
    (folder / "migrate.onnx").write_bytes(parts.migrate)
    halves = split_step(parts.step)
    for name, half in zip(HALVES, halves, strict=True):
        (folder / name).write_bytes(half)
    (folder / CHAIN).write_bytes(chain(halves[1]))
    for name, items in parts.items.items():
        stem = folder / "items" / name
        _pack(stem, ".ids.msgpack", list(items.ids))
        if items.meta is not None:
            _pack(stem, ".meta.msgpack", [dict(entry) for entry in items.meta])
        np.save(f"{stem}.in.npy", items.vectors_in.astype(np.float16))
        np.save(f"{stem}.out.npy", items.vectors_out.astype(np.float16))
    if parts.text is not None:
        (folder / "text.json").write_text(parts.text.header())
        _save(folder / "text.npz", parts.text.arrays())
    if parts.labels:
        header, arrays = to_parts(parts.labels)
        (folder / "labels.json").write_text(header)
        _save(folder / "labels.npz", arrays)
    _save(folder / "golden.npz", golden(folder, parts))


def _pack(stem: Path, suffix: str, value: object) -> None:
    Path(f"{stem}{suffix}").write_bytes(msgspec.msgpack.encode(value))


def _save(file: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    np.savez(file, allow_pickle=False, **arrays)


def golden(folder: Path, parts: BundleParts) -> dict[str, npt.NDArray[Any]]:
    """Inputs and outputs of both graphs, run by ONNX Runtime as the worker runs them.

    Real item vectors, every platform and action, gaps from none to a month; the second
    step starts from the states of the first, so that decays are exercised too.
    """
    feeds = _golden_inputs(parts)
    step = open_session(folder / "step.onnx")
    migrate = open_session(folder / "migrate.onnx")
    feeds["state"] = step.run(None, feeds)[0]
    next_state = step.run(None, feeds)[0]
    interests = migrate.run(None, {MIGRATE_INPUTS[0]: next_state})[0]
    named = {f"step_{name}": feeds[name] for name in STEP_INPUTS}
    return named | {"step_next_state": next_state, "migrate_interests": interests}


def _golden_inputs(parts: BundleParts) -> dict[str, npt.NDArray[Any]]:
    contract, rows = parts.contract, _GOLDEN_ROWS
    order = np.arange(rows)
    platform = order % len(contract.platforms)
    tables = [parts.items[contract.platforms[p]].vectors_in for p in platform]
    item = [table[row % len(table)] for row, table in zip(order, tables, strict=True)]
    return {
        "state": np.zeros((rows, contract.state_size), np.float16),
        "item": np.stack(item).astype(np.float16).astype(np.float32),
        "platform": platform.astype(np.int64),
        "action": (order % len(contract.actions)).astype(np.int64),
        "dt": np.geomspace(1.0, 2.6e6, rows).astype(np.float32) - np.float32(1.0),
    }


def _write_manifest(folder: Path, parts: BundleParts, created: datetime) -> str:
    files = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        files[file.relative_to(folder).as_posix()] = {"sha256": digest, "bytes": len(content)}
    contract = parts.contract.to_dict()
    bundle_id = content_id(contract, files)
    manifest = {
        "format": FORMAT,
        "bundle_id": bundle_id,
        "created": created.isoformat(timespec="seconds"),
        "contract": contract,
        "metrics": dict(parts.metrics or {}),
        "training": dict(parts.training or {}),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return bundle_id
