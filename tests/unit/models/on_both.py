"""People who are on two platforms, where nothing has a title or a time."""

from __future__ import annotations

import numpy as np

from models.config import preset
from models.data.table import TRAIN, VALIDATION, TableBuilder
from models.items.encoders import HashedEncoder
from models.protocols import cdrib
from models.protocols.cases import Split
from models.recurrence.network import Network
from models.training.prepare import fitting, make_network

SIZES = {"dim": 16, "hidden": 8, "text_dim": 16, "title_dim": 64}
ITEMS = 60


def split_on_both() -> Split:
    """People like a third of either platform's items; some are tested where they have no history.

    Nothing has a title or a time.
    """
    rng, builder = np.random.default_rng(1), TableBuilder()
    for platform in ("film", "shop"):
        for item in range(ITEMS):
            builder.add_item(platform, str(item))
    for person in range(180):
        kind = person % 3
        for at, platform in enumerate(("film", "shop")):
            part = VALIDATION if person >= 120 and at == person % 2 else TRAIN
            liked = np.where(rng.random(10) < 0.9, kind, rng.integers(3, size=10))
            for item in np.unique(liked + 3 * rng.integers(ITEMS // 3, size=10)):
                builder.add_event(str(person), platform, 2, str(item), 0, part)
    table = builder.build()
    return cdrib(table, 0, negatives=20)


def network_of(split: Split) -> Network:
    config = fitting(preset("small", **SIZES).model, split.table)
    return make_network(config, split.training, HashedEncoder.fit([], 16, 10), 0.0, 0).eval()
