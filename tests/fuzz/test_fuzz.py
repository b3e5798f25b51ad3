"""A short guard: what fuzzing has kept, and some seconds of blind mutations of it.

The long run, guided by coverage, is ``make fuzz`` (``python -m tests.fuzz.run``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from tests.fuzz.corpus import seeds
from tests.fuzz.targets import TARGETS, clean_up

# Garbage that is a number may overflow in the model; what counts is what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SECONDS = 0.5
BITES = (b"\x00", b"\xff", b"\x7f", b"null", b"-1", b"1e999", b'"', b"{", b"[", b"\xed\xa0\x80")


@pytest.fixture(autouse=True, scope="module")
def _nothing_stays() -> Iterator[None]:
    yield
    clean_up()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """An input that differs in a few places."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(out))
        match rng.randrange(4):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                out[at:at] = rng.choice(BITES)
            case 2:
                del out[at : at + rng.randint(1, 8)]
            case _:
                out[at:at] = out[: rng.randint(0, 16)]
    return bytes(out)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_from_outside_gets_past_its_decoder(target: str) -> None:
    begin, run, rng = seeds(target), TARGETS[target], random.Random(target)
    assert begin
    for data in (b"", *begin):
        run(data)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        run(mutated(rng.choice(begin), rng))
