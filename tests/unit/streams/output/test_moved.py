"""Subscribers' imports of before the move go on working, with a warning."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.mark.parametrize("name", ["feed", "ranking", "schema"])
def test_the_old_place_gives_the_same_objects_and_names_the_new_one(name: str) -> None:
    sys.modules.pop(f"streams.output.{name}", None)
    new = importlib.import_module(f"streams.subscribe.{name}")
    with pytest.warns(DeprecationWarning, match=rf"moved to streams.subscribe.{name}.*0\.3"):
        old = importlib.import_module(f"streams.output.{name}")
    assert all(getattr(old, public) is getattr(new, public) for public in old.__all__)
    assert old.__all__
