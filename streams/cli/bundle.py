"""``interest-stream bundle``: announce a bundle to running workers, go back, see who runs what."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiokafka
import msgspec
from aiokafka.errors import KafkaError

from streams.bundles.bundle import Bundle
from streams.errors import BrokerError, BundleError
from streams.runtime import worker
from streams.runtime.bundles.announcement import (
    PARTITION,
    Announcement,
    Announcements,
    encode,
    folder_of,
)
from streams.runtime.bundles.loading import check_fit, manifest_checksum
from streams.runtime.bundles.service import REPORT_S, read_to_end
from streams.runtime.bundles.worker_status import WorkerStatus, decode_status
from streams.runtime.options import client_options
from streams.runtime.sending.publisher import now_ms
from streams.runtime.transport.leader_refresh import Consumer
from streams.settings import Settings, load_settings
from streams.settings.logs import configure_logging

SILENT_S: Final = 3 * REPORT_S
"""A worker that hasn't said anything for so long is gone, or not well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    worker.add_arguments(parser)
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    announce = what.add_parser("announce", help="have all workers use a bundle")
    announce.add_argument("folder", metavar="PATH", help="the bundle's folder, or its file: URI")
    announce.add_argument(
        "--shadow", action="store_true", help="compute it beside the active one, to compare"
    )
    announce.add_argument(
        "--as", dest="uri", metavar="URI", help="where workers find it, if not under PATH"
    )
    what.add_parser("rollback", help="announce again the bundle that the present one replaced")
    retire = what.add_parser("retire", help="take an announcement back (ends a shadow)")
    retire.add_argument("bundle", metavar="ID", help="the bundle's id")
    what.add_parser("status", help="what is announced, and what each worker runs")


def run(args: argparse.Namespace) -> int:
    """Do it.

    Returns:
        0; for ``status`` 1 where a worker refuses the announced bundle, or is silent.
    """
    settings = load_settings(worker.config_path(args.config))
    configure_logging("warning")
    commands: dict[str, Callable[[Settings, argparse.Namespace], Awaitable[int]]] = {
        "announce": _announce,
        "rollback": _rollback,
        "retire": _retire,
        "status": _status,
    }
    return asyncio.run(_connected(commands[args.what](settings, args), settings))


async def _connected(work: Awaitable[int], settings: Settings) -> int:
    try:
        return await work
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"the broker at {', '.join(settings.kafka.bootstrap)} (kafka.bootstrap) doesn't do "
            f"what is asked: {error!r}; is it up, does the topic {settings.bundles.topic!r} "
            "exist (a worker makes it), and may this principal write it?"
        ) from error


async def _announce(settings: Settings, args: argparse.Namespace) -> int:
    folder = folder_of(args.folder)
    bundle = Bundle.load(folder)
    check_fit(settings, bundle, None)
    known = await _announcements(settings)
    active = known.active()
    announcement = Announcement(
        bundle=bundle.bundle_id,
        uri=args.uri or str(folder.resolve()),
        checksum=manifest_checksum(folder),
        role="shadow" if args.shadow else "active",
        replaces=_replaced(active, bundle.bundle_id),
        announced_ms=now_ms(),
    )
    if args.shadow and active is not None and active.bundle == bundle.bundle_id:
        raise BundleError(f"{bundle.bundle_id} is in force; a shadow must be another bundle")
    await _write(settings, announcement.bundle, encode(announcement))
    print(f"announced {announcement.bundle} as {announcement.role}: {announcement.uri}")
    return 0


def _replaced(active: Announcement | None, bundle: str) -> str:
    """What a rollback will go to; announcing the same again changes nothing about that."""
    if active is None:
        return ""
    return active.replaces if active.bundle == bundle else active.bundle


async def _rollback(settings: Settings, args: argparse.Namespace) -> int:
    known = await _announcements(settings)
    before = known.before()
    if before is None:
        raise BundleError(
            f"no announcement on {settings.bundles.topic!r} says which bundle came before; "
            "announce it: `interest-stream bundle announce PATH`"
        )
    again = msgspec.structs.replace(before, role="active", announced_ms=now_ms())
    await _write(settings, again.bundle, encode(again))
    print(f"announced {again.bundle} again: {again.uri}")
    return 0


async def _retire(settings: Settings, args: argparse.Namespace) -> int:
    known = await _announcements(settings)
    if args.bundle not in {a.bundle for r in ("active", "shadow") for a in known.newest(r)}:
        raise BundleError(f"{args.bundle!r} isn't announced on {settings.bundles.topic!r}")
    await _write(settings, args.bundle, None)
    print(f"{args.bundle} is no longer announced")
    return 0


async def _status(settings: Settings, args: argparse.Namespace) -> int:
    known = await _announcements(settings)
    active, shadow = known.active(), known.shadow()
    print(f"announced  {active.bundle if active else 'none: service.bundle counts'}")
    if shadow is not None:
        print(f"shadow     {shadow.bundle}")
    for other in known.newest("active")[1:]:
        print(f"before     {other.bundle}  {other.uri}")
    lines = list(told(await _said(settings), active))
    for line in lines:
        print(line.text)
    if not lines:
        print("no worker has said anything yet")
    return 0 if all(line.well for line in lines) else 1


@dataclass(frozen=True, slots=True)
class Line:
    """A line of ``status``, and whether what it says of a worker is well."""

    text: str
    well: bool = True


def told(said: Mapping[bytes | None, bytes | None], active: Announcement | None) -> Iterator[Line]:
    """A line for each worker, then how well their vectors rank.

    Args:
        said: the last value of each key of the status topic.
        active: the bundle that is to be in force.
    """
    workers: list[WorkerStatus] = []
    for key, value in sorted(said.items(), key=lambda item: item[0] or b""):
        status = decode_status(value) if value else None
        if status is not None:
            workers.append(status)
            yield _line(status, active)
        elif value:  # nothing can be said about it, neither that it is well nor that it isn't
            name = (key or b"").decode(errors="replace")
            yield Line(f"{name!r} said something that this version can't read")
    for status in workers:
        yield from (Line(_ranks(status.worker, figures)) for figures in status.quality)


def _ranks(worker: str, figures: Mapping[str, str | float]) -> str:
    names = ("platform", "ranker", "bundle", "hit_rate_10", "mrr", "cases")
    platform, ranker, bundle, hits, mrr, cases = (figures.get(name, "?") for name in names)
    return f"{worker}  {platform}  {ranker} {bundle}: HR@10 {hits}, MRR {mrr} of {cases} events"


def _line(status: WorkerStatus, active: Announcement | None) -> Line:
    age_s = (now_ms() - status.at_ms) / 1000
    if age_s > SILENT_S:
        return Line(f"{status.worker}  silent for {age_s:.0f} s", well=False)
    if status.refused:
        text = f"{status.worker}  {status.bundle}  REFUSES {status.refused}: {status.why}"
        return Line(text, well=False)
    waiting = active is not None and active.bundle != status.bundle
    parts = [status.worker, status.bundle, "verifying the announced bundle" if waiting else ""]
    if status.rebuilding:
        parts.append(f"bringing users over in partitions {', '.join(map(str, status.rebuilding))}")
    return Line("  ".join(filter(None, parts)))


async def _announcements(settings: Settings) -> Announcements:
    found = Announcements()
    async with _consumer(settings) as consumer:
        await read_to_end(consumer, settings.bundles.topic, found.take)
    return found


async def _said(settings: Settings) -> dict[bytes | None, bytes | None]:
    """The last value of each key of the status topic."""
    last: dict[bytes | None, bytes | None] = {}
    async with _consumer(settings) as consumer:
        await read_to_end(consumer, settings.bundles.status_topic, last.update)
    return last


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
    consumer = Consumer(**client_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _write(settings: Settings, key: str, value: bytes | None) -> None:
    options: dict[str, Any] = client_options(settings)
    producer = aiokafka.AIOKafkaProducer(**options, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        topic = settings.bundles.topic
        await producer.send_and_wait(topic, value, key=key.encode(), partition=PARTITION)
    finally:
        await producer.stop()
