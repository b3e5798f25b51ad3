"""The pure update on a bundle, as a worker has it: for references and benchmarks."""

from __future__ import annotations

from streams.bundles.bundle import Bundle
from streams.bundles.catalogue import Catalogue
from streams.inference.engine import Engine
from streams.runtime.bundles.loading import LoadedBundle, updater_of
from streams.settings import Settings
from streams.update.updater import Updater


def make_updater(settings: Settings, bundle: Bundle, engine: Engine) -> Updater:
    """The pure update for a bundle."""
    catalogue = Catalogue(bundle.contract.platforms, bundle.items)
    return updater_of(settings, LoadedBundle(bundle, engine, catalogue))
