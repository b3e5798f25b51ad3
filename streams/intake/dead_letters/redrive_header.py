"""Records that come again from the dead letters: a header names the letter.

It carries the record's first position and Kafka timestamp, so that a record without a time or an
event id of its own is the same event however often it is sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

HEADER: Final = "interest-redriven"
_FORM: Final = re.compile(rb"(.{1,249})/(\d{1,10})/(\d{1,19})@(-1|\d{1,15})", re.DOTALL)


def header(topic: str, partition: int, offset: int, timestamp_ms: int) -> tuple[str, bytes]:
    """The header of a record that is sent again.

    >>> header("shop.click", 3, 17, 1700000000000)
    ('interest-redriven', b'shop.click/3/17@1700000000000')
    """
    return HEADER, f"{topic}/{partition}/{offset}@{max(timestamp_ms, -1)}".encode()


def first_timestamp_ms(headers: Iterable[tuple[str, bytes | None]], own_ms: int) -> int:
    """Kafka timestamp that a record had at first; its own where it wasn't sent again.

    A header that isn't of this form says nothing.
    """
    for name, value in headers:
        if name == HEADER and value is not None and (found := _FORM.fullmatch(value)):
            return int(found[4])
    return own_ms
