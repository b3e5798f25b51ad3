"""``interest-stream send``: one event of your own, for instance into the running demo."""

from __future__ import annotations

import argparse
import time

from models.contract import ACTIONS
from streams.connection import Connection
from streams.demo.by_hand import check_demo_item, demo_topics, make_event, sent
from streams.demo.producer import NativeProducer, TopicNames
from streams.demo.running import RunningDemo, find_demo
from streams.settings import Settings, load_settings


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
        check_demo_item(args.platform, args.item)
        topics = demo_topics(demo)
    value = make_event(args, demo, int(time.time() * 1000))
    topic = topics.event(args.platform, args.action)
    with NativeProducer(broker, topics, connection=_connection(settings, demo)) as producer:
        producer.require([topic])
        producer.send_event(args.platform, args.action, value)
    print(sent(args, topic, demo))
    return 0


def _connection(settings: Settings | None, demo: RunningDemo | None) -> Connection:
    if settings is not None:
        return settings.kafka.connection()
    return Connection() if demo else Connection.from_env()
