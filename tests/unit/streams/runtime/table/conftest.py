"""A table on either store, and one whose folder is opened again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.runtime.table.user_table import UserTable
from tests.unit.streams.runtime.fakes import make_app
from tests.unit.streams.runtime.table.tables import (
    Make,
    close,
    make_table,
)


@pytest.fixture(params=["memory://", "rocksdb://"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UserTable]:
    made = make_table(make_app(request.param, tmp_path))
    yield made
    close(made)


@pytest.fixture
def rocks(tmp_path: Path) -> Iterator[Make]:
    """Opens the same folder again and again, as a worker does that is started again."""
    made: list[UserTable] = []

    def again() -> UserTable:
        for before in made:
            close(before)
        made.append(make_table(make_app("rocksdb://", tmp_path)))
        return made[-1]

    yield again
    close(made[-1])
