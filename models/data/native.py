"""Our own formats: JSON lines and Parquet, with the fields of the native JSON event.

A folder holds one or several event files, and beside them, where known, the items
(``items.jsonl`` or ``items.parquet``: platform, item_id, title, category) and the links
(``links.jsonl`` or ``links.parquet``: platform, local_id, user_id). A single event file
does as well.

An event names its platform, action, item and time. Its user is ``user_id``; an event with
only a ``local_id`` belongs to the user that the last link names, and without a link to a
user of its own, ``PLATFORM/LOCAL_ID``.
"""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from models.contract import ACTIONS
from models.data.source import bad, lines
from models.data.table import EventTable, TableBuilder, action_code
from models.errors import DataError

Record = Mapping[str, Any]
Records = Iterator[tuple[int, Record]]

# Numbers below are seconds, above milliseconds: 1e11 s is the year 5138, 1e11 ms is 1973.
_SECONDS_BELOW: Final = 1e11


def read_jsonl(path: Path) -> EventTable:
    """Read JSON lines: a folder as described above, or one file of events.

    Raises:
        DataError: a line isn't a JSON object, or a field is missing or wrong.
    """
    return _read(path, "jsonl", _json_records)


def read_parquet(path: Path) -> EventTable:
    """Read Parquet files with the same columns; ``time`` may also be a timestamp column.

    Raises:
        DataError: pyarrow isn't installed, or a column is missing or wrong.
    """
    return _read(path, "parquet", _parquet_records)


def _read(path: Path, ending: str, records: Any) -> EventTable:
    builder = TableBuilder()
    links: dict[tuple[str, str], str] = {}
    if path.is_dir():
        for file in sorted(path.glob(f"items*.{ending}")):
            for line, record in records(file):
                _add_item(builder, file, line, record)
        for file in sorted(path.glob(f"links*.{ending}")):
            for line, record in records(file):
                key = (_text(file, line, record, "platform"), _text(file, line, record, "local_id"))
                links[key] = _text(file, line, record, "user_id")
    for file in event_files(path, ending):
        for line, record in records(file):
            _add_events(builder, file, line, record, links)
    return builder.build()


def event_files(path: Path, ending: str) -> list[Path]:
    """The event files of a folder in order of name, or the one file that ``path`` is.

    Raises:
        DataError: the folder has none.
    """
    if not path.is_dir():
        return [path]
    files = [
        file
        for file in sorted(path.glob(f"*.{ending}"))
        if not file.name.startswith(("items", "links"))
    ]
    if not files:
        raise DataError(f"{path}: has no event files; expected events.{ending}")
    return files


def _add_item(builder: TableBuilder, file: Path, line: int, record: Record) -> None:
    builder.add_item(
        _text(file, line, record, "platform"),
        _text(file, line, record, "item_id"),
        _text(file, line, record, "title", default=""),
        _text(file, line, record, "category", default=""),
    )


def _add_events(
    builder: TableBuilder,
    file: Path,
    line: int,
    record: Record,
    links: Mapping[tuple[str, str], str],
) -> None:
    platform = _text(file, line, record, "platform")
    user = _user(file, line, record, platform, links)
    action = _action(file, line, record)
    time_ms = parse_time(file, line, record.get("time"))
    bought = record.get("items")
    for item in [record] if bought is None else _item_records(file, line, bought):
        builder.add_event(user, platform, action, _text(file, line, item, "item_id"), time_ms)


def _user(
    file: Path, line: int, record: Record, platform: str, links: Mapping[tuple[str, str], str]
) -> str:
    if record.get("user_id") is not None:
        return _text(file, line, record, "user_id")
    local = _text(file, line, record, "local_id", remedy="expected a user_id or a local_id")
    return links.get((platform, local), f"{platform}/{local}")


def _action(file: Path, line: int, record: Record) -> int:
    name = _text(file, line, record, "action")
    code = action_code(name)
    if code is None:
        raise bad(file, line, "action", name, f"expected one of {', '.join(ACTIONS)}")
    return code


def _item_records(file: Path, line: int, items: Any) -> list[Record]:
    if isinstance(items, (list, tuple, np.ndarray)) and all(isinstance(i, dict) for i in items):
        return list(items)
    raise bad(file, line, "items", items, "expected a list of objects with an item_id")


def _text(
    file: Path,
    line: int,
    record: Record,
    field: str,
    default: str | None = None,
    remedy: str = "expected a text that isn't empty",
) -> str:
    """A text field; numbers count as text, as producers send ids either way."""
    value = record.get(field)
    if value is None and default is not None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and (value or default is not None):
        return value
    raise bad(file, line, field, value, remedy)


def parse_time(file: Path, line: int, value: Any) -> int:
    """RFC 3339 text, a datetime, or a number of seconds or milliseconds, as milliseconds.

    Raises:
        DataError: it is none of these.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value):
        return round(value * 1000) if abs(value) < _SECONDS_BELOW else round(value)
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if isinstance(moment, datetime.datetime) and moment.tzinfo is not None:
        since = moment - datetime.datetime.fromtimestamp(0, datetime.UTC)
        return since // datetime.timedelta(milliseconds=1)
    remedy = "expected RFC 3339 with an offset, or a number of seconds or milliseconds"
    raise bad(file, line, "time", value, remedy)


def _json_records(path: Path) -> Records:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, text in lines(path):
        try:
            yield number, decoder.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise bad(path, number, "line", text, f"expected a JSON object ({error})") from error


def _parquet(path: Path) -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        remedy = "pip install 'interest-stream[train]'"
        raise DataError(f"{path}: reading Parquet needs pyarrow; {remedy}") from error


def _parquet_records(path: Path) -> Records:
    parquet = _parquet(path)
    try:
        file = parquet.ParquetFile(path)
    except Exception as error:  # pyarrow raises its own and OSError alike
        raise DataError(f"{path}: isn't a readable Parquet file ({error})") from error
    number = 0
    for batch in file.iter_batches():
        for record in batch.to_pylist():
            number += 1
            yield number, record
