"""A bundle made ready to compute, off the event loop; or the reason why it can't be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.contract import Contract
from streams.bundles.bundle import Bundle
from streams.bundles.catalogue import Catalogue
from streams.bundles.files import MANIFEST
from streams.errors import BundleError, ProviderError, UnfitBundleError
from streams.identity.directory import IdDirectory
from streams.inference.engine import Engine
from streams.publish.encode import VectorEncoder
from streams.quality.judge import Judge
from streams.runtime.bundles.announcement import Announcement, folder_of
from streams.runtime.checks import check_bundle
from streams.settings import Settings
from streams.update.context import ActiveBundle
from streams.update.updater import Updater
from streams.windows.layout import Layout
from streams.windows.slab import Slab

DAY_MS = 86_400_000


@dataclass(frozen=True)
class LoadedBundle:
    """A verified bundle with its graphs opened and its items looked up.

    Attributes:
        bundle: the bundle.
        engine: its graphs.
        catalogue: its items; those of the items topics are added by the reader.
        judge: ranks live events by its vectors; None where the settings want none judged.
    """

    bundle: Bundle
    engine: Engine
    catalogue: Catalogue
    judge: Judge | None = None

    @classmethod
    def of(cls, settings: Settings, bundle: Bundle) -> LoadedBundle:
        """Open the graphs of a bundle.

        Raises:
            ProviderError: the ONNX provider that was asked for doesn't run here.
        """
        onnx = settings.onnx
        engine = Engine(
            bundle.step_path, bundle.migrate_path, onnx.providers, onnx.threads, bundle.halves
        )
        catalogue = Catalogue(bundle.contract.platforms, bundle.items)
        if not settings.quality.sample_rate:
            return cls(bundle, engine, catalogue)
        judge = Judge(
            bundle.bundle_id,
            engine,
            catalogue,
            bundle.items,
            layout_of(settings, bundle),
            candidates=settings.quality.candidates,
            horizon_ms=int(settings.window.days * DAY_MS),
        )
        return cls(bundle, engine, catalogue, judge)

    def for_update(self, settings: Settings) -> ActiveBundle:
        """What the update computes with, and room for the bundle's users."""
        contract, layout = self.bundle.contract, layout_of(settings, self.bundle)
        return ActiveBundle(
            Slab(layout, bundle_tag(self.bundle.bundle_id), settings.service.users_in_memory),
            self.catalogue,
            self.engine,
            make_directory(settings, contract.platforms),
            contract.actions,
        )


def layout_of(settings: Settings, bundle: Bundle) -> Layout:
    """Layout of a user's row under a bundle."""
    contract = bundle.contract
    return Layout(len(contract.platforms), contract.state_size, settings.window.events)


def bundle_tag(bundle_id: str) -> int:
    """What a stored state says of the bundle that made it: 32 bits, never 0."""
    return int(bundle_id[:8], 16) or 1


def manifest_checksum(folder: Path) -> str:
    """SHA-256 of a bundle's manifest, which has the checksums of all its files.

    Raises:
        BundleError: there is none, or there can be no such folder.
    """
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError(
            f"{folder / MANIFEST} can't be read ({error.strerror}); announce the bundle's folder "
            "as every worker sees it"
        ) from error
    except ValueError as error:  # a zero byte, which no path can have
        raise BundleError(
            f"{str(folder)!r} can't be a folder ({error}); announce the bundle's folder as every "
            "worker sees it"
        ) from error


def load_announced(
    settings: Settings, announcement: Announcement, present: Contract | None
) -> LoadedBundle:
    """Verify an announced bundle from end to end and make it ready; takes seconds.

    Args:
        settings: the worker's settings.
        announcement: what was announced.
        present: contract of the bundle whose states are stored; None: nothing is.

    Raises:
        UnfitBundleError: it can't be used; it says why.
    """
    try:
        folder = folder_of(announcement.uri)
        if manifest_checksum(folder) != announcement.checksum:
            raise UnfitBundleError(
                "other_content",
                f"{folder / MANIFEST} isn't the manifest that was announced for "
                f"{announcement.bundle}: put the announced bundle there, or announce this one",
            )
        bundle = Bundle.load(folder)
    except UnfitBundleError:
        raise
    except BundleError as error:
        raise UnfitBundleError("damaged", str(error)) from error
    if bundle.bundle_id != announcement.bundle:
        raise UnfitBundleError(
            "other_content",
            f"{folder} holds the bundle {bundle.bundle_id}, announced was {announcement.bundle}",
        )
    check_fit(settings, bundle, present)
    try:
        return LoadedBundle.of(settings, bundle)
    except ProviderError as error:
        raise UnfitBundleError("provider", str(error)) from error


def check_fit(settings: Settings, bundle: Bundle, present: Contract | None) -> None:
    """Whether states can be carried on under a bundle.

    Raises:
        UnfitBundleError: they can't; it says why.
    """
    contract = bundle.contract
    try:
        check_bundle(settings, contract)
    except BundleError as error:
        raise UnfitBundleError("platforms", str(error)) from error
    if contract.state_size > settings.bundles.max_state_size or contract.state_size % 8:
        raise UnfitBundleError(
            "state_size",
            f"{bundle.path}: states of {contract.state_size} numbers; a multiple of 8 up to "
            f"{settings.bundles.max_state_size} (bundles.max_state_size) is taken",
        )
    if present is None:
        return
    if contract.platforms[: len(present.platforms)] != present.platforms:
        raise UnfitBundleError(
            "platforms",
            f"{bundle.path} numbers the platforms {', '.join(contract.platforms)}, stored windows "
            f"{', '.join(present.platforms)}: a bundle may add platforms at the end, and nothing "
            "else",
        )
    if contract.actions[: len(present.actions)] != present.actions:
        raise UnfitBundleError(
            "actions",
            f"{bundle.path} numbers the actions {', '.join(contract.actions)}, stored windows "
            f"{', '.join(present.actions)}",
        )


def updater_of(settings: Settings, loaded: LoadedBundle) -> Updater:
    """The pure update for a bundle that is ready."""
    updater = Updater(
        loaded.for_update(settings),
        horizon_ms=int(settings.window.days * DAY_MS),
        log_topic=settings.events.topic,
    )
    updater.know_sources(settings.source_topics())
    return updater


def make_directory(settings: Settings, platforms: tuple[str, ...]) -> IdDirectory:
    """Who gets whose vectors, by the settings."""
    return IdDirectory(platforms, {p.name: p.ids == "shared" for p in settings.platforms})


def make_encoder(settings: Settings, bundle: Bundle) -> VectorEncoder:
    """Encoder of a bundle's vectors."""
    output = settings.output
    return VectorEncoder(
        bundle.bundle_id,
        bundle.contract.platforms,
        output.encoding,
        shared=output.single_topic,
        labels=bundle.labels,
        label_count=output.labels,
    )
