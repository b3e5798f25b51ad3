"""Targets that read a bundle's folder."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from models.contract import content_id
from models.labels import Labels, to_parts
from streams.bundles import bundle as bundle_module
from streams.bundles.bundle import Bundle
from streams.errors import BundleError, DamagedError, StateError


@contextmanager
def other_versions() -> Iterator[None]:
    """What looks like a newer service's may end the worker, which then says so; damage may not."""
    try:
        yield
    except StateError as error:
        assert not isinstance(error, DamagedError), error  # noqa: PT017
        assert "version" in str(error) or "platforms may be added" in str(error)  # noqa: PT017


@cache
def bundle_folder() -> Path:
    """A small bundle with every part that a bundle can have."""
    from tests.bundles import make_tiny_bundle

    folder = make_tiny_bundle(Path(tempfile.mkdtemp(prefix="fuzz-")) / "bundle", items=4)
    vector_dim = json.loads((folder / "bundle.json").read_bytes())["contract"]["vector_dim"]
    weight = np.ones((vector_dim, 2), np.float32)
    labels = Labels(("a", "b"), weight, np.zeros(2, np.float32), np.zeros(4, np.int16))
    header, arrays = to_parts({"shop": labels})
    (folder / "labels.json").write_text(header)
    np.savez(folder / "labels.npz", allow_pickle=False, **arrays)
    sign(folder, "labels.json", "labels.npz")
    return folder


def sign(folder: Path, *names: str) -> None:
    """Let the manifest say what is in these files."""
    said: dict[str, Any] = json.loads((folder / "bundle.json").read_bytes())
    for name in names:
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        said["files"][name] = {"sha256": digest, "bytes": len(content)}
    said["bundle_id"] = content_id(said["contract"], said["files"])
    (folder / "bundle.json").write_text(json.dumps(said))


FILES: Final = ("items/shop.ids.msgpack", "items/shop.meta.msgpack", "items/shop.in.npy",
                "items/shop.out.npy", "golden.npz", "text.npz", "text.json", "labels.json",
                "labels.npz")  # fmt: skip


def _load(folder: Path) -> None:
    """Load all but the graphs: those are ONNX Runtime's to parse, after their checksum."""
    nothing: dict[str, Any] = {"new": lambda *args: None}
    with (
        patch.object(bundle_module, "open_graph", **nothing),
        patch.object(bundle_module, "verify_graphs", **nothing),
        patch.object(Bundle, "verify_outputs", **nothing),
        patch.object(Bundle, "verify_halves", **nothing),
        suppress(BundleError),
    ):
        Bundle.load(folder)


def manifest(data: bytes) -> None:
    """A manifest that anybody may have written: a ``BundleError``, or a bundle."""
    file = bundle_folder() / "bundle.json"
    kept = file.read_bytes()
    try:
        file.write_bytes(data)
        _load(bundle_folder())
    finally:
        file.write_bytes(kept)


def bundle_file(data: bytes) -> None:
    """A file with the right checksum and any content; the first byte says which."""
    name, content = FILES[data[0] % len(FILES)] if data else FILES[0], data[1:]
    folder = bundle_folder()
    kept = {n: (folder / n).read_bytes() for n in (name, "bundle.json")}
    try:
        (folder / name).write_bytes(content)
        sign(folder, name)
        _load(folder)
    finally:
        for n, before in kept.items():
            (folder / n).write_bytes(before)
