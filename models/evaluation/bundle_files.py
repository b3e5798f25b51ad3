"""What evaluation reads of a bundle's folder; the worker's loader is above this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import DataError
from models.items.projector import TextProjector
from models.labels import Labels, from_parts


def read_manifest(path: Path) -> dict[str, Any]:
    """What ``bundle.json`` says.

    Raises:
        DataError: the folder isn't a bundle.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / "bundle.json").read_bytes())
    except (OSError, ValueError) as error:
        remedy = "give the folder that `interest-stream train` wrote"
        raise DataError(f"{path}: isn't a bundle ({error}); {remedy}") from error
    return manifest


def read_text(path: Path) -> TextProjector | None:
    """The projection of titles, None without one."""
    if not (path / "text.npz").exists():
        return None
    with np.load(path / "text.npz", allow_pickle=False) as arrays:
        return TextProjector.from_parts((path / "text.json").read_text("utf-8"), dict(arrays))


def read_labels(path: Path) -> dict[str, Labels]:
    """Target -> its interest labels, empty without any."""
    if not (path / "labels.npz").exists():
        return {}
    with np.load(path / "labels.npz", allow_pickle=False) as arrays:
        return from_parts((path / "labels.json").read_text("utf-8"), dict(arrays))
