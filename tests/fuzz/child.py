"""One process of fuzzing: ``python -m tests.fuzz.child TARGET LIBFUZZER_ARGUMENT...``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import atheris

with atheris.instrument_imports(include=["streams", "models"]):
    from tests.fuzz.corpus import seeds
    from tests.fuzz.targets import TARGETS, clean_up


def fuzz(name: str, arguments: Sequence[str]) -> None:
    """Let libFuzzer have this process; it ends it."""
    run = TARGETS[name]
    run(seeds(name)[0])  # what is made once shouldn't be part of an input's time
    atheris.Setup([sys.argv[0], *arguments], run)
    try:
        atheris.Fuzz()
    finally:
        clean_up()


if __name__ == "__main__":
    fuzz(sys.argv[1], sys.argv[2:])
