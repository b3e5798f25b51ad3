"""The whole line: JSON of a platform in, through intake and log, vectors for three targets out."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from streams.bundles.bundle import Bundle
from tests.bench.graph import ITEMS, PLATFORMS
from tests.bench.parts.throughput import WARM_PART, say, summary
from tests.bench.race.contestants import OURS
from tests.bench.race.race import Job, Run
from tests.bench.race.setup import Bench, Figures
from tests.bench.race.traffic import json_events, make_traffic

PART: Final = 0.5
"""Of the events of the other parts; the whole line costs more."""


def line(bench: Bench) -> Figures:
    """The update alone, with one target and three; the whole line; and the bundle that ships."""
    options = bench.options
    count = int(options.events * PART)
    drawn = make_traffic(count, options.users, ITEMS, options.partitions)
    traffic = replace(drawn, action=np.ones_like(drawn.action))  # one topic: all are clicks
    warm = len(traffic) // WARM_PART
    shop = PLATFORMS[0]
    shipped = Bundle.load(bench.bundle("shipped")).items[shop].id_list
    few = replace(traffic, item=traffic.item % len(shipped))
    json_values = json_events(traffic, bench.model.items)
    runs: dict[str, list[Run]] = {}
    titles = {
        "update-1": "update alone, one target",
        "update-3": "update alone, three targets",
        "line-3": "whole line, three targets",
        "shipped": "update alone, the bundle that ships",
    }
    for number in range(options.rounds):
        for name, title in titles.items():
            bundle = {"update-1": "bundle-1", "shipped": "shipped"}.get(name, "bundle-3")
            place = bench.place(name, bundle=bundle)
            job = Job(traffic, warm)
            if name == "line-3":
                job = Job(traffic, warm, topic=f"{place.name}.{shop}.click", values=json_values)
            if name == "shipped":
                values = OURS.records(place, few, shipped)
                job = Job(few, warm, values=values, checked=False)
            run = bench.race.run(replace(OURS, name=name, title=title), place, job)
            runs.setdefault(name, []).append(run)
            say(number, run)
    return {name: {"title": titles[name], **summary(found)} for name, found in runs.items()}
