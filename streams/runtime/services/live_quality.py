"""Live quality: judges the cases that the update put aside, off the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import numpy as np
from faust import Service

from streams.quality.cases import Cases
from streams.quality.judge import TOP, Judge
from streams.quality.popularity import Popularity
from streams.quality.sampler import Sampler
from streams.runtime.bundles.loading import LoadedBundle
from streams.runtime.running_app import RunningApp
from streams.runtime.service_log import SERVICE_LOG
from streams.runtime.services.running_figures import Ranks, RateLimit, RunningFigures
from streams.settings import Settings
from streams.windows.layout import Layout

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
ACTIVE, SHADOW, POPULARITY = "active", "shadow", "popularity"


class QualityService(Service):
    """Judges cases, four times a second.

    Args:
        app: the worker.

    Attributes:
        running: figures by (platform, ranker, bundle id).
    """

    logger = SERVICE_LOG

    def __init__(self, app: RunningApp) -> None:
        super().__init__()
        self._app = app
        self._shadow: LoadedBundle | None = None
        self._shadow_limit = RateLimit(app.settings.quality.shadow_cases_s)
        self.running: dict[tuple[str, str, str], RunningFigures] = {}

    @property
    def shadow(self) -> str:
        """Id of the bundle that is tried; empty where there is none."""
        return "" if self._shadow is None else self._shadow.bundle.bundle_id

    def try_beside(self, loaded: LoadedBundle | None) -> None:
        """Compare this bundle from here on (None: none)."""
        self._shadow = loaded
        self._app.metrics.set_bundle(SHADOW, self.shadow or None)
        if loaded is not None:
            names = self._app.settings.platform_names()
            self._app.metrics.declare_quality(names, (SHADOW,), self.shadow)
        self.forget_others()

    def forget_others(self) -> None:
        """Figures of bundles that neither compute nor are tried are no longer shown."""
        kept = {self._app.bundle.bundle_id, self.shadow}
        for key in [k for k in self.running if k[2] not in kept]:
            del self.running[key]
            self._app.metrics.forget_quality(key[2])

    def figures(self) -> tuple[dict[str, str | float], ...]:
        """The running figures, for people."""
        return tuple(
            {
                "platform": platform,
                "ranker": ranker,
                "bundle": bundle,
                "cases": running.cases,
                "hit_rate_10": round(running.hit_rate, 4),
                "mrr": round(running.mrr, 4),
            }
            for (platform, ranker, bundle), running in sorted(self.running.items())
        )

    @Service.task
    async def _judge(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_S)
            sampler = self._app.updater.observer
            if not isinstance(sampler, Sampler):
                continue
            self._app.metrics.live_dropped.inc(sampler.dropped)
            sampler.dropped = 0
            try:
                for cases in sampler.take():
                    await self._look_at(sampler.judge, cases)
            except Exception:  # a judge that fails is no reason to stop the work
                log.exception("live quality couldn't be judged; the worker goes on")

    async def _look_at(self, judge: Judge, cases: Cases) -> None:
        layout, platforms = self._app.updater.slab.layout, judge.catalogue.platforms
        if cases.rows.dtype != layout.dtype or judge.bundle != self._app.bundle.bundle_id:
            return  # of the bundle before
        ranks = await asyncio.to_thread(judge.ranks, cases, cases.rows["current"])
        self._show(platforms, cases, ACTIVE, judge.bundle, ranks)
        self._show(platforms, cases, POPULARITY, judge.bundle, cases.popular)
        other = None if self._shadow is None else self._shadow.judge
        if other is not None and (granted := self._shadow_limit.take(len(cases))):
            some = cases.take(slice(granted))
            ranks = await asyncio.to_thread(_tried, other, some, layout)
            self._show(platforms, some, SHADOW, other.bundle, ranks)

    def _show(
        self, platforms: tuple[str, ...], cases: Cases, ranker: str, bundle: str, ranks: Ranks
    ) -> None:
        metrics = self._app.metrics
        for number in np.unique(cases.platform).tolist():
            of = ranks[(cases.platform == number) & ~np.isnan(ranks)]
            if not len(of):
                continue
            labels = (platforms[number], ranker, bundle)
            metrics.live_cases.labels(*labels).inc(len(of))
            metrics.live_hits.labels(*labels).inc(int((of <= TOP).sum()))
            metrics.live_reciprocal.labels(*labels).inc(float((1.0 / of).sum()))
            self.running.setdefault(labels, RunningFigures()).add(of)


def _tried(judge: Judge, cases: Cases, layout: Layout) -> Ranks:
    return judge.ranks(cases, judge.states_from_windows(cases, layout))


def make_sampler(settings: Settings, loaded: LoadedBundle, before: object) -> Sampler | None:
    """What puts cases aside for a bundle; None where the settings want none.

    Args:
        settings: the worker's settings.
        serving: the bundle.
        before: the sampler of the bundle before, whose counts of popularity go on.
    """
    judge = loaded.judge
    if judge is None:
        return None
    contract, quality = loaded.bundle.contract, settings.quality
    sizes = [len(loaded.bundle.items[name].id_list) for name in contract.platforms]
    popularity = Popularity(sizes, quality.popularity_half_life)
    if isinstance(before, Sampler):
        _carry(popularity, judge, before)
    return Sampler(judge, quality.sample_rate, contract.actions.index("refund"), popularity)


def _carry(popularity: Popularity, judge: Judge, before: Sampler) -> None:
    """The candidates' counts; of other items they begin anew."""
    for number, items in enumerate(before.judge.catalogue.items):
        ids = judge.ids(number)
        known = [
            (row, item.row)
            for row, name in ids
            if (item := items.get(name)) is not None and item.row < items.unknown_index
        ]
        if known:
            rows, old = np.array(known, np.int64).T
            popularity.carry(number, rows, before.popularity, old)
