"""Events sent by hand, for instance into the running demo."""

from __future__ import annotations

import argparse
import uuid
from typing import Any, Final

from models.contract import ACTIONS
from streams.demo.producer import TopicNames
from streams.demo.running import RunningDemo
from streams.demo.simulator.catalogue import items_by_id
from streams.errors import InterestStreamError

BY_HAND: Final = "send-"
"""Beginning of the event ids of events sent by hand."""


class SendError(InterestStreamError):
    """What was asked to be sent doesn't exist."""


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


def check_demo_item(platform: str, item: str) -> None:
    """The demo has this item.

    Raises:
        SendError: it hasn't; the message says which there are.
    """
    known = items_by_id()
    if (platform, item) in known:
        return
    platforms = sorted({name for name, _ in known})
    if platform not in platforms:
        raise SendError(f"the demo has no platform {platform!r}; use {', '.join(platforms)}")
    last = max(name for where, name in known if where == platform)
    raise SendError(f"{platform} of the demo has no item {item!r}; use {platform[0]}000 to {last}")


def sent(args: argparse.Namespace, topic: str, demo: RunningDemo | None) -> str:
    """What was sent, in words."""
    who = args.user if args.user is not None else args.local_id
    line = f"sent to {topic}: {who} {args.action} {args.item}"
    if demo is None:
        return line
    item = items_by_id()[args.platform, args.item]
    return f"{line} ({item.title!r}, {item.category})\nthe demo's terminal shows what it moves"
