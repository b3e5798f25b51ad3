"""A small disk for a worker's store, that can be filled."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SIZE_MB: Final = 256
FILLER: Final = "filler"
BLOCK: Final = b"\0" * (1 << 20)


@contextlib.contextmanager
def small_disks(folders: list[Path]) -> Iterator[str]:
    """Mount a tmpfs at each folder; yields why not, or an empty text."""
    mounted: list[Path] = []
    why = ""
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            why = _mount(folder)
            if why:
                break
            mounted.append(folder)
        yield why
    finally:
        for folder in mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def _mount(folder: Path) -> str:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        return f"no tmpfs can be mounted here: {error}"
    return "" if done.returncode == 0 else f"no tmpfs can be mounted here: {done.stderr.strip()}"


def fill(folder: Path) -> int:
    """Write until the disk is full; bytes written."""
    written = 0
    with (folder / FILLER).open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            written += file.write(BLOCK)
    with (folder / FILLER).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:  # the last bytes
            written += file.write(BLOCK[: os.sysconf("SC_PAGESIZE")])
    return written


def free(folder: Path) -> None:
    """Remove what filled it."""
    (folder / FILLER).unlink(missing_ok=True)
