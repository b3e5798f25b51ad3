"""What ``interest-stream redrive`` takes for a letter."""

from __future__ import annotations

import pytest

from streams.admin.redrive import _letter
from streams.intake.dead_letters import dead_letter
from tests.unit.streams.dead_letters import letter_of


def test_a_letter_is_read() -> None:
    made = letter_of(key=b"c-1")
    assert _letter(dead_letter.encode(made)) == made


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"x":' + b"[" * 9_000])
def test_what_is_none_is_passed_over(value: bytes | None) -> None:
    assert _letter(value) is None
