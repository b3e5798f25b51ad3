"""Bundles announced, taken back, and what workers say of them: the bundles topic from outside."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import aiokafka
import msgspec
from aiokafka.errors import KafkaError

from streams.admin.bundle_status import told
from streams.bundles.bundle import Bundle
from streams.errors import BrokerError, BundleError
from streams.runtime.bundles.announcement import (
    PARTITION,
    Announcement,
    Announcements,
    encode,
    folder_of,
)
from streams.runtime.bundles.loading import check_fit, manifest_checksum
from streams.runtime.bundles.service import read_one_partition
from streams.runtime.options import client_options
from streams.runtime.sending.publisher import now_ms
from streams.runtime.transport.leader_refresh import Consumer
from streams.settings import Settings


async def connected(work: Awaitable[int], settings: Settings) -> int:
    """What the work returns; a broker that doesn't answer is said with its address."""
    try:
        return await work
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"the broker at {', '.join(settings.kafka.bootstrap)} (kafka.bootstrap) doesn't do "
            f"what is asked: {error!r}; is it up, does the topic {settings.bundles.topic!r} "
            "exist (a worker makes it), and may this principal write it?"
        ) from error


async def announce(settings: Settings, args: argparse.Namespace) -> int:
    """Have all workers use the bundle ``args.folder``; 0."""
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


async def rollback(settings: Settings, args: argparse.Namespace) -> int:
    """Announce once more the bundle that the present one replaced; 0."""
    known = await _announcements(settings)
    before = known.before()
    if before is None:
        raise BundleError(
            f"no announcement on {settings.bundles.topic!r} says which bundle came before; "
            "announce it: `interest-stream bundle announce PATH`"
        )
    former = msgspec.structs.replace(before, role="active", announced_ms=now_ms())
    await _write(settings, former.bundle, encode(former))
    print(f"announced {former.bundle} again: {former.uri}")
    return 0


async def retire(settings: Settings, args: argparse.Namespace) -> int:
    """Take the announcement of ``args.bundle`` back; 0."""
    known = await _announcements(settings)
    if args.bundle not in {a.bundle for r in ("active", "shadow") for a in known.newest(r)}:
        raise BundleError(f"{args.bundle!r} isn't announced on {settings.bundles.topic!r}")
    await _write(settings, args.bundle, None)
    print(f"{args.bundle} is no longer announced")
    return 0


async def status(settings: Settings, args: argparse.Namespace) -> int:
    """Print what is announced and what each worker runs; 1 where one of them isn't well."""
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


async def _announcements(settings: Settings) -> Announcements:
    found = Announcements()
    async with _consumer(settings) as consumer:
        await read_one_partition(consumer, settings.bundles.topic, found.take)
    return found


async def _said(settings: Settings) -> dict[bytes | None, bytes | None]:
    """The last value of each key of the status topic."""
    last: dict[bytes | None, bytes | None] = {}
    async with _consumer(settings) as consumer:
        await read_one_partition(consumer, settings.bundles.status_topic, last.update)
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
