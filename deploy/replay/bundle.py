"""The bundle of a replay: trained on the training part of the data, once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streams.errors import InterestStreamError

PROTOCOL: Final = "abxi"
CHUNK: Final = 1 << 20


class ReplayJobError(InterestStreamError):
    """A step of the replay job failed."""


def trained_bundle(data: Path, format: str | None, folder: Path) -> Path:
    """The bundle trained on ``data`` under the protocol; an earlier one of the same data is kept.

    Args:
        data: folder or file of events.
        format: their format, None to find out.
        folder: where bundles of replays lie.

    Raises:
        ReplayJobError: training failed.
    """
    bundle = folder / f"{data.resolve().name}-{fingerprint(data)}"
    if (bundle / "bundle.json").is_file():
        print(f"bundle {bundle} (trained before on the same data)", flush=True)
        return bundle
    folder.mkdir(parents=True, exist_ok=True)
    print(f"training on the training part of {data} (protocol {PROTOCOL}) ...", flush=True)
    words = [sys.executable, "-m", "streams.cli", "train", str(data), "--out", str(bundle)]
    words += ["--protocol", PROTOCOL, *(["--format", format] if format else [])]
    code = subprocess.run(words, check=False).returncode
    if code != 0 or not (bundle / "bundle.json").is_file():
        raise ReplayJobError(
            f"training ended with exit code {code} and left no bundle in {bundle}; see its "
            "message above, or give a trained bundle with --bundle"
        )
    return bundle


def fingerprint(data: Path) -> str:
    """A short hash of the names and contents of the data's files."""
    digest = hashlib.sha256()
    for file in sorted(_files(data)):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:12]


def _files(data: Path) -> Iterator[Path]:
    yield from (f for f in data.rglob("*") if f.is_file()) if data.is_dir() else (data,)
