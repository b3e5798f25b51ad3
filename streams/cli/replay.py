"""``interest-stream replay``: stream a public dataset as its platforms' events."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.data.read import FORMATS, read_events
from streams.connection import Connection
from streams.demo.producer import NativeProducer, TopicNames
from streams.demo.replay import ReplayError, Speed, replay, table_name
from streams.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder or file of events")
    parser.add_argument("--format", choices=FORMATS, help="default: found out from the files")
    parser.add_argument("--broker", metavar="HOST:PORT", help="default: from --config")
    parser.add_argument(
        "--speed", default="max", metavar="N|max",
        help="max (default); N: times the dataset's own timing; N/s: events a second",
    )  # fmt: skip
    parser.add_argument(
        "--config", metavar="FILE",
        help="the worker's settings, for its topics and broker (default: topics PLATFORM.ACTION)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Replay a dataset; print the counts by platform and action."""
    settings = load_settings(args.config) if args.config else None
    topics = TopicNames.of(settings) if settings else TopicNames.default()
    broker = args.broker or (settings.kafka.bootstrap[0] if settings else None)
    if broker is None:
        raise ReplayError("no broker is named; give --broker HOST:PORT, or --config FILE")
    connection = settings.kafka.connection() if settings else Connection.from_env()
    table, speed = read_events(args.path, args.format), Speed.parse(args.speed)
    with NativeProducer(broker, topics, connection=connection) as producer:
        replay(producer, table, speed, table_name(args.path))
    return 0
