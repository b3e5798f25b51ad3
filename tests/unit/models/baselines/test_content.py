"""Words of items."""

from __future__ import annotations

from models.baselines import METHODS
from tests.unit.models.baselines.films import scores


def test_content_finds_an_item_that_nobody_had() -> None:
    space, cook, farm = scores(METHODS["content"]())
    assert cook > space > farm
