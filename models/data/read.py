"""One door to every event file format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from models.data.native import read_jsonl, read_parquet
from models.data.pairs import read_cdrib, read_phone_sport
from models.data.public import read_afk, read_rees46, read_taobao
from models.data.source import lines
from models.data.table import EventTable
from models.errors import DataError

_READERS: Final[dict[str, Callable[[Path], EventTable]]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "afk": read_afk,
    "taobao": read_taobao,
    "rees46": read_rees46,
    "cdrib": read_cdrib,
    "phone-sport": read_phone_sport,
}
FORMATS: Final = tuple(_READERS)


def read_events(path: str | Path, format: str | None = None) -> EventTable:
    """Read a folder or file of events into the common table.

    Args:
        path: where the data lies.
        format: one of ``FORMATS``; None looks at the files and finds out.

    Raises:
        DataError: nothing is there, the format isn't known or can't be recognised, or the
            files don't follow it; the message names file, line, field, value and remedy.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; check the path")
    name = format or detect_format(path)
    if name not in _READERS:
        raise DataError(f"format {name!r} isn't known; use one of {', '.join(FORMATS)}")
    table = _READERS[name](path)
    if not len(table):
        raise DataError(f"{path}: has no events (read as {name}); check the path and the format")
    return table


def detect_format(path: Path) -> str:
    """Which of ``FORMATS`` the files follow, by their names and their first line.

    Raises:
        DataError: none of them.
    """
    found = _detect_folder(path) if path.is_dir() else _detect_file(path)
    if found is None:
        raise DataError(
            f"{path}: the format can't be recognised; name it, one of {', '.join(FORMATS)}"
        )
    return found


def _detect_folder(path: Path) -> str | None:
    if (path / "events.tsv").exists() and (path / "items.tsv").exists():
        return "afk"
    for ending in ("jsonl", "parquet"):
        if any(path.glob(f"*.{ending}")):
            return ending
    if any(path.glob("*_*/test_neg_99.txt")):
        return "phone-sport"
    if any(path.glob("*_*/valid.txt")):
        return "cdrib"
    csvs = sorted(path.glob("*.csv"))
    return _detect_file(csvs[0]) if csvs else None


def _detect_file(path: Path) -> str | None:
    if path.suffix in (".jsonl", ".parquet"):
        return path.suffix[1:]
    if path.suffix != ".csv":
        return None
    _, first = next(lines(path), (0, ""))
    if first.startswith("event_time,"):
        return "rees46"
    return "taobao" if len(first.split(",")) == 5 else None
