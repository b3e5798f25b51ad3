"""Public datasets of timed events: AFK, Taobao UserBehavior, REES46."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Final

from models.contract import ACTIONS
from models.data.source import bad, fields, integer, lines
from models.data.table import EventTable, TableBuilder
from models.errors import DataError

_PURCHASE: Final = ACTIONS.index("purchase")
_TAOBAO_ACTIONS: Final = {"pv": "browse", "cart": "cart", "fav": "favourite", "buy": "purchase"}
_REES46_ACTIONS: Final = {"view": "browse", "cart": "cart", "purchase": "purchase"}
_REES46_FIELDS: Final = ("event_time", "event_type", "product_id", "category_id", "user_id")
_REES46_TIME: Final = "%Y-%m-%d %H:%M:%S %Z"


def read_afk(path: Path) -> EventTable:
    """Amazon reviews on two or more domains (the folder of ABXI, WWW 2025).

    ``events.tsv``: user, position, item number, domain, unix seconds; ``items.tsv``: item
    number, domain, ASIN, title. Domains become platforms, item ids are the ASINs. A review
    is the trace of a purchase, so that is the action.

    Raises:
        DataError: a line doesn't have these fields.
    """
    builder = TableBuilder()
    names: dict[str, str] = {}
    file = path / "items.tsv"
    for line, (number, domain, asin, title) in fields(
        file, ("item", "domain", "ASIN", "title"), "\t"
    ):
        if number in names:
            raise bad(file, line, "item", number, "expected each item number once")
        names[number] = asin or number
        builder.add_item(domain, names[number], title)
    file = path / "events.tsv"
    columns = ("user", "position", "item", "domain", "seconds")
    for line, (user, _, number, domain, seconds) in fields(file, columns, "\t"):
        if number not in names:
            raise bad(file, line, "item", number, "expected an item number of items.tsv")
        time_ms = integer(file, line, "seconds", seconds) * 1000
        builder.add_event(user, domain, _PURCHASE, names[number], time_ms)
    return builder.build()


def only_file(path: Path, ending: str) -> Path:
    """The one file of a folder with this ending, or the file that ``path`` is.

    Raises:
        DataError: the folder has none or several.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob(f"*{ending}"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{path}: expected one *{ending} file, found {names}; name the file itself")
    return found[0]


def read_taobao(path: Path) -> EventTable:
    """Tianchi UserBehavior: user, item, category, behaviour, unix seconds; no header.

    One platform, ``taobao``; pv is browse, fav favourite, buy purchase.

    Raises:
        DataError: a line doesn't have these fields, or a behaviour isn't known.
    """
    file = only_file(path, ".csv")
    builder = TableBuilder()
    columns = ("user", "item", "category", "behaviour", "seconds")
    for line, (user, item, category, behaviour, seconds) in fields(file, columns, ","):
        action = _TAOBAO_ACTIONS.get(behaviour)
        if action is None:
            remedy = f"expected one of {', '.join(_TAOBAO_ACTIONS)}"
            raise bad(file, line, "behaviour", behaviour, remedy)
        time_ms = integer(file, line, "seconds", seconds) * 1000
        builder.add_item("taobao", item, category=category)
        builder.add_event(user, "taobao", ACTIONS.index(action), item, time_ms)
    return builder.build()


def read_rees46(path: Path) -> EventTable:
    """REES46 shop events: CSV with a header; view is browse.

    One platform, ``rees46``. The data has no titles: brand and the words of the category
    code stand in for one. An event with no category code keeps the category's number.

    Raises:
        DataError: a column is missing, or a time or event type isn't known.
    """
    file = only_file(path, ".csv")
    builder = TableBuilder()
    header = tuple(next(lines(file), (1, ""))[1].split(","))
    missing = set(_REES46_FIELDS) - set(header)
    if missing:
        raise bad(file, 1, "header", header, f"expected also {', '.join(sorted(missing))}")
    for line, values in fields(file, header, ","):
        if line > 1:
            _add_rees46(builder, file, line, dict(zip(header, values, strict=True)))
    return builder.build()


def _add_rees46(builder: TableBuilder, file: Path, line: int, row: dict[str, str]) -> None:
    action = _REES46_ACTIONS.get(row["event_type"])
    if action is None:
        remedy = f"expected one of {', '.join(_REES46_ACTIONS)}"
        raise bad(file, line, "event_type", row["event_type"], remedy)
    code = row.get("category_code", "")
    title = f"{row.get('brand', '')} {' '.join(reversed(code.split('.')))}"
    item, user = row["product_id"], row["user_id"]
    builder.add_item("rees46", item, title.replace("_", " ").strip(), code or row["category_id"])
    time_ms = _rees46_time(file, line, row["event_time"])
    builder.add_event(user, "rees46", ACTIONS.index(action), item, time_ms)


def _rees46_time(file: Path, line: int, value: str) -> int:
    try:
        moment = datetime.datetime.strptime(value, _REES46_TIME)
    except ValueError:
        raise bad(file, line, "event_time", value, "expected 2019-10-01 00:00:00 UTC") from None
    return int(moment.replace(tzinfo=datetime.UTC).timestamp()) * 1000
