"""Lines of a data file with their numbers, and errors that name it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from models.errors import DataError

_log = logging.getLogger(__name__)


def bad(path: Path, line: int, field: str, value: object, remedy: str) -> DataError:
    """An error about one field of one line (``line`` counts from 1, 0 means the whole file)."""
    where = f"{path}:{line}" if line else str(path)
    return DataError(f"{where}: field {field!r} has {str(value)[:200]!r}; {remedy}")


def _raw_lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from enumerate(file, 1)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: isn't UTF-8 ({error}); convert the file") from error


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that isn't blank, without its line end.

    Raises:
        DataError: the file isn't there or isn't UTF-8.
    """
    for number, text in _raw_lines(path):
        if text.strip():
            yield number, text.rstrip("\r\n")


def fields(path: Path, names: tuple[str, ...], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that isn't blank.

    A last line that was cut off (too few fields and no line end, as in public samples made
    with ``head -c``) is left out with a warning.

    Raises:
        DataError: a line doesn't have one field for each of ``names``.
    """
    for number, text in _raw_lines(path):
        values = text.rstrip("\r\n").split(separator)
        if len(values) == len(names):
            yield number, values
        elif text.strip() and (len(values) > len(names) or text.endswith("\n")):
            found = f"{len(values)} fields: {text.rstrip()}"
            raise bad(path, number, "line", found, f"expected {', '.join(names)}")
        elif text.strip():
            _log.warning("%s:%d: the last line is cut off and was left out", path, number)


def integer(path: Path, line: int, field: str, value: str) -> int:
    """``value`` as an integer.

    Raises:
        DataError: it isn't one.
    """
    try:
        return int(value)
    except ValueError:
        raise bad(path, line, field, value, "expected an integer") from None
