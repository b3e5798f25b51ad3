"""Diagrams of docs/architecture.md, from the imports: ``python -m deploy.rooms`` makes them.

A room is a package, an arrow an import that no chain of other arrows says already. A test holds
that the page has what this makes, so the pictures can't grow old.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

from deploy.imports import ROOT, import_graph

PAGE: Final = ROOT / "docs" / "architecture.md"
DIAGRAMS: Final = {"streams": ("streams",), "models": ("models", "export")}
"""Name of a diagram's marks -> the folders whose packages are its rooms."""
BASIC: Final = ("errors", "secrets", "connection", "settings", "contract", "config", "labels")
"""What nearly everybody imports, left out of the picture."""
FORMER: Final = "streams.output"
"""The shim of one version."""


def room_of(module: str, tops: tuple[str, ...]) -> str:
    """The room of a module: its package at the second level (``export`` is one); empty for none."""
    parts = module.split(".")
    if parts[0] not in tops or module.startswith(FORMER):
        return ""
    if parts[0] == "export":
        return "export"
    return parts[1] if len(parts) > 1 and parts[1] not in BASIC else ""


def arrows(graph: Mapping[str, Iterable[str]], tops: tuple[str, ...]) -> dict[str, set[str]]:
    """Room -> the rooms that it imports, those that follow from others taken out."""
    found: dict[str, set[str]] = {}
    for module, names in graph.items():
        room = room_of(module, tops)
        if room:
            others = {room_of(name, tops) for name in names} - {"", room}
            found.setdefault(room, set()).update(others)
    reach: dict[str, set[str]] = {}

    def below(room: str) -> set[str]:
        if room not in reach:
            reach[room] = set()
            for other in found.get(room, ()):
                reach[room] |= {other} | below(other)
        return reach[room]

    return {
        room: {one for one in others if not any(one in below(o) for o in others - {one})}
        for room, others in found.items()
    }


def mermaid(found: Mapping[str, Iterable[str]]) -> str:
    """The diagram in Mermaid: rooms from the top floor down."""
    lines = [f"    {room} --> {one}" for room in sorted(found) for one in sorted(found[room])]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def render(text: str) -> str:
    """The page with its diagrams made anew.

    Raises:
        ValueError: a mark is missing.
    """
    graph = import_graph()
    for name, tops in DIAGRAMS.items():
        begin, end = f"<!-- rooms: {name} -->\n", f"\n<!-- /rooms: {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"{PAGE.name} has no marks {begin.strip()} and {end.strip()}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{mermaid(arrows(graph, tops))}{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text()))
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
