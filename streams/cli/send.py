"""``interest-stream send``: one event of your own, for instance into the running demo."""

from __future__ import annotations

import argparse
import time
import uuid
from typing import Any, Final

from models.contract import ACTIONS
from streams.connection import Connection
from streams.demo.producer import NativeProducer, TopicNames
from streams.demo.running import RunningDemo, find_demo
from streams.demo.simulator.catalogue import items_by_id
from streams.errors import InterestStreamError
from streams.settings import Settings, load_settings

BY_HAND: Final = "send-"
"""Beginning of the event ids of events sent by hand."""


class SendError(InterestStreamError):
    """What was asked to be sent doesn't exist."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("platform", metavar="PLATFORM", help="for instance shop")
    parser.add_argument("action", metavar="ACTION", choices=ACTIONS, help=", ".join(ACTIONS))
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", metavar="ID", help="canonical user id")
    who.add_argument("--local-id", metavar="ID", help="the platform's own id of the user")
    parser.add_argument("--item", required=True, metavar="ID", help="item id on that platform")
    parser.add_argument("--broker", metavar="HOST:PORT", help="default: the running demo's")
    parser.add_argument("--config", metavar="FILE", help="settings, for topics, broker and login")


def run(args: argparse.Namespace) -> int:
    """Send one event; print what was sent."""
    settings = load_settings(args.config) if args.config else None
    demo = None if args.broker or settings else find_demo()
    topics = TopicNames.of(settings) if settings else TopicNames.default()
    broker = args.broker or (demo.bootstrap if demo else None)
    if broker is None:
        assert settings is not None
        broker = settings.kafka.bootstrap[0]
    if demo is not None:
        _check_demo_item(args.platform, args.item)
        topics = demo_topics(demo)
    value = make_event(args, demo, int(time.time() * 1000))
    topic = topics.event(args.platform, args.action)
    with NativeProducer(broker, topics, connection=_connection(settings, demo)) as producer:
        producer.require([topic])
        producer.send_event(args.platform, args.action, value)
    print(_sent(args, topic, demo))
    return 0


def _connection(settings: Settings | None, demo: RunningDemo | None) -> Connection:
    if settings is not None:
        return settings.kafka.connection()
    return Connection() if demo else Connection.from_env()


def demo_topics(demo: RunningDemo) -> TopicNames:
    """Where the demo's platforms send their events."""
    events = {(name, action): topic for name, topic in demo.topics.items() for action in ACTIONS}
    return TopicNames(events, {}, {})


def make_event(args: argparse.Namespace, demo: RunningDemo | None, now_ms: int) -> dict[str, Any]:
    """The native event; in the demo it happens at the demo's simulated time."""
    who = {"user_id": args.user} if args.user is not None else {"local_id": args.local_id}
    return {
        "event_id": f"{BY_HAND}{uuid.uuid4().hex}",
        **who,
        "action": args.action,
        "item_id": args.item,
        "time": demo.clock.at(now_ms) if demo else now_ms,
    }


def _check_demo_item(platform: str, item: str) -> None:
    known = items_by_id()
    if (platform, item) in known:
        return
    platforms = sorted({name for name, _ in known})
    if platform not in platforms:
        raise SendError(f"the demo has no platform {platform!r}; use {', '.join(platforms)}")
    last = max(name for where, name in known if where == platform)
    raise SendError(f"{platform} of the demo has no item {item!r}; use {platform[0]}000 to {last}")


def _sent(args: argparse.Namespace, topic: str, demo: RunningDemo | None) -> str:
    who = args.user if args.user is not None else args.local_id
    line = f"sent to {topic}: {who} {args.action} {args.item}"
    if demo is None:
        return line
    item = items_by_id()[args.platform, args.item]
    return f"{line} ({item.title!r}, {item.category})\nthe demo's terminal shows what it moves"
