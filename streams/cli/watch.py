"""``interest-stream watch TARGET``: print a target's vectors as they are published.

Certificates and credentials come from the environment, under the names of the worker's settings
(``INTEREST_STREAM__KAFKA__SECURITY_PROTOCOL``, ...): the command needs the base install only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from streams.connection import Connection
from streams.subscribe.feed import InterestFeed
from streams.subscribe.ranking import ItemRanking
from streams.subscribe.schema import DEFAULT_TOPIC, InterestUpdate, Tombstone

PIPE_WIDTH: Final = 160
TITLES: Final = 3
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


def chosen(
    entries: Iterable[InterestUpdate | Tombstone], user: str | None, count: int | None
) -> Iterator[InterestUpdate | Tombstone]:
    """The entries of one id (None: all), at most ``count``; ends at the last one."""
    left = count if count is not None else -1
    if left == 0:
        return
    for entry in entries:
        if user is None or entry.id == user:
            yield entry
            left -= 1
            if left == 0:
                return


def as_line(
    entry: InterestUpdate | Tombstone, ranking: ItemRanking | None, width: int | None
) -> str:
    """One line for a person, cut to ``width`` columns (None: whole)."""
    if isinstance(entry, Tombstone):
        line = f"{'':8}  {entry.id:<16}  withdrawn"
    else:
        shares = sorted(entry.sources.items(), key=lambda pair: -pair[1])
        known = entry.event_ts_ms > 0
        latency = str(max(0, entry.published_ms - entry.event_ts_ms)) if known else "?"
        line = (
            f"{_clock(entry.published_ms)}  {entry.id:<16}  {entry.events:>3} events"
            f"  {latency:>5} ms  {' '.join(f'{name} {share:.0%}' for name, share in shares)}"
            f"  ->  {_meaning(entry, ranking)}"
        )
    return line if width is None or len(line) <= width else line[: max(1, width - 1)] + "…"


def as_json(entry: InterestUpdate | Tombstone) -> str:
    """One JSON object; a tombstone has ``"vector": null``."""
    if isinstance(entry, Tombstone):
        return json.dumps({"id": entry.id, "target": entry.target, "vector": None})
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    return json.dumps({**given, "vector": entry.vector.tolist()}, ensure_ascii=False)


def _meaning(update: InterestUpdate, ranking: ItemRanking | None) -> str:
    if ranking is None:
        head = " ".join(f"{number:+.2f}" for number in update.vector[:6])
        return f"[{head} … {len(update.vector)} numbers]"
    if ranking.bundle_id != update.bundle:
        return f"(vector of bundle {update.bundle}, items of {ranking.bundle_id})"
    return " | ".join(item.title for item in ranking.top(update.vector, TITLES))


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S")
