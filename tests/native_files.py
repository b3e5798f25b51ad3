"""An event table as files of our own formats, which ``models.data.read_events`` reads."""

from __future__ import annotations

import datetime
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.contract import ACTIONS
from models.data.table import EventTable


def _event_records(table: EventTable) -> Iterator[dict[str, Any]]:
    columns = (table.user, table.platform, table.action, table.item, table.time_ms)
    for user, platform, action, item, time_ms in zip(*(c.tolist() for c in columns), strict=True):
        moment = datetime.datetime.fromtimestamp(0, datetime.UTC)
        moment += datetime.timedelta(milliseconds=time_ms)
        yield {
            "platform": table.platforms[platform],
            "action": ACTIONS[action],
            "user_id": table.users[user],
            "item_id": table.items[platform].ids[item],
            "time": moment.isoformat(timespec="milliseconds"),
        }


def _item_rows(table: EventTable) -> Iterator[dict[str, str]]:
    for platform, items in zip(table.platforms, table.items, strict=True):
        for item, title, category in zip(items.ids, items.titles, items.categories, strict=True):
            row = {"platform": platform, "item_id": item, "title": title, "category": category}
            yield row


def write_jsonl(table: EventTable, folder: Path) -> None:
    """Write ``events.jsonl`` and ``items.jsonl``, which ``read_jsonl`` reads back.

    A prescribed split or prescribed negatives aren't written: events don't have them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in (("events", _event_records(table)), ("items", _item_rows(table))):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_parquet(table: EventTable, folder: Path) -> None:
    """Write ``events.parquet`` and ``items.parquet``, which ``read_parquet`` reads back."""
    parquet: Any = importlib.import_module("pyarrow.parquet")
    arrow: Any = importlib.import_module("pyarrow")
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in (("events", _event_records(table)), ("items", _item_rows(table))):
        parquet.write_table(arrow.Table.from_pylist(list(records)), folder / f"{name}.parquet")
