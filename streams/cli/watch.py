"""``interest-stream watch TARGET``: print a target's vectors as they are published.

Certificates and credentials come from the environment, under the names of the worker's settings
(``INTEREST_STREAM__KAFKA__SECURITY_PROTOCOL``, ...): the command needs the base install only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from typing import Any, Final

from streams.connection import Connection
from streams.subscribe.feed import InterestFeed
from streams.subscribe.lines import as_json, as_line, chosen
from streams.subscribe.ranking import ItemRanking
from streams.subscribe.schema import DEFAULT_TOPIC

PIPE_WIDTH: Final = 160
BROKER_VARIABLE: Final = "INTEREST_STREAM__KAFKA__BOOTSTRAP"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("target", help="platform whose vectors to print, e.g. shop")
    parser.add_argument(
        "--broker",
        default=os.environ.get(BROKER_VARIABLE, "localhost:9092"),
        help=f"host:port, several with commas (default: {BROKER_VARIABLE}, else localhost:9092)",
    )
    parser.add_argument(
        "--topic", default=DEFAULT_TOPIC, help="the setting output.topic (default: %(default)s)"
    )
    parser.add_argument("--user", help="only this id, as the target knows it")
    parser.add_argument("--bundle", help="bundle folder: print the best items, not numbers")
    parser.add_argument("--from-beginning", action="store_true", help="first what there is")
    parser.add_argument("--count", type=int, help="stop after this many")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, whole vectors")
    parser.add_argument(
        "--embedded", action="store_true", help="the broker is the demo's (needs an old protocol)"
    )


def run(args: argparse.Namespace) -> int:
    """Print until interrupted, or ``--count`` is reached; 0.

    Raises:
        InterestStreamError: no broker, no topic, or no bundle; the message says which.
    """
    ranking = ItemRanking.load(args.bundle, args.target) if args.bundle else None
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if sys.stdout.isatty() else None
    options: dict[str, Any] = Connection.from_env().python_options()
    if args.embedded:
        options["api_version"] = (2, 3)
    feed = InterestFeed(
        args.broker, args.target, topic=args.topic, catch_up=args.from_beginning, **options
    )
    # Ctrl-C is how one stops watching, not a failure.
    with feed, contextlib.suppress(KeyboardInterrupt):
        for entry in chosen(feed, args.user, args.count):
            print(as_json(entry) if args.json else as_line(entry, ranking, width), flush=True)
    return 0
