"""What ``interest-stream redrive`` takes for a letter."""

from __future__ import annotations

import pytest

from streams.admin.redrive import _letter
from streams.errors import RecordError
from streams.intake.dead_letters import dead_letter


def test_a_letter_is_read() -> None:
    made = dead_letter.make_letter(
        error=RecordError("no_item", "item_id", "", "send one"), platform="shop",
        source=("shop.click", 0, 7), timestamp_ms=1, key=b"c-1", raw=b"{}", seen_ms=2,
    )  # fmt: skip
    assert _letter(dead_letter.encode(made)) == made


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"x":' + b"[" * 9_000])
def test_what_is_none_is_passed_over(value: bytes | None) -> None:
    assert _letter(value) is None
