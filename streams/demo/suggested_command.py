"""The command that the demo suggests for a second terminal."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np

from streams.demo.simulator.catalogue import shelves
from streams.demo.simulator.simulator import Simulator


def send_line(simulator: Simulator, now_ms: int, quiet: list[str]) -> str:
    """A command whose effect will show: somebody with few events, and a topic new to them."""
    user = quiet[0] if quiet else simulator.people[0].user
    relevance = simulator.relevance(user, now_ms, "shop")
    shelf = shelves()["shop"]
    item = shelf.items[int(np.lexsort((-shelf.popularity, relevance))[0])]
    return f"{program()} send shop click --user {user} --item {item.item_id}"


def program() -> str:
    """How this very program is called from the current folder."""
    called = Path(sys.argv[0])
    found = shutil.which("interest-stream")
    if found is not None and called.exists() and Path(found).resolve() == called.resolve():
        return "interest-stream"
    if called.name == "interest-stream" and called.exists():
        return os.path.relpath(called)
    return f"{os.path.relpath(sys.executable)} -m streams.cli"
