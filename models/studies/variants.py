"""Models that a study trains beside the default: ablations and sizes.

Each differs by a few settings, ``NAME=VALUE`` of ``models/config.py``, or by its title encoder. One
is left out where the data has nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.data.table import EventTable
from models.training.prepare import titles_of

# The option of ``train`` that names the title encoder.
TEXT: Final = "--text="


@dataclass(frozen=True)
class Variant:
    """A model that isn't the default.

    Attributes:
        changes: settings that differ from the default's, and ``TEXT`` with a title encoder.
        needs: what the data must have, one of ``HAS``, or nothing in particular.
    """

    changes: tuple[str, ...]
    needs: str = ""


HAS: Final[Mapping[str, Callable[[EventTable], bool]]] = {
    "words": lambda table: any(titles_of(table.items)),  # a category's name, where no title is
    "titles": lambda table: any(title for items in table.items for title in items.titles),
    "platforms": lambda table: len(table.platforms) > 1,
    "bridge": lambda table: not any(titles_of(table.items)),
    "actions": lambda table: len(np.unique(table.action)) > 1,
}

TIMELESS: Final = Variant(("trend_days=()",))
"""A model that doesn't see when the event happens that it ranks for."""
ABLATIONS: Final = {
    "no alignment": Variant(("cold=0.0",), "platforms"),
    "without trend": TIMELESS,
    "without titles of their own": Variant(("title_dim=0",), "words"),
    "without the bridge": Variant(("title_dim=0",), "bridge"),
    "only the next event": Variant(("future=0.0",)),
    "purchases weigh 4": Variant(("actions=purchase:4",), "actions"),
    "MiniLM titles": Variant(("--text=minilm",), "titles"),
}
# The curve of quality and speed: widths D and H of models that are otherwise the default.
SIZES: Final = {
    "ours 32": Variant(("dim=32", "hidden=32", "text_dim=64", "title_dim=64")),
    "ours 64": Variant(("dim=64", "hidden=48", "text_dim=96", "title_dim=96")),
    "ours 96": Variant(("dim=96", "hidden=64", "text_dim=128", "title_dim=128")),
}


def fitting(variants: Mapping[str, Variant], table: EventTable) -> dict[str, Variant]:
    """Those that the data has something for."""
    has = {name: found(table) for name, found in HAS.items()}
    return {name: one for name, one in variants.items() if not one.needs or has[one.needs]}
