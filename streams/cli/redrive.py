"""``interest-stream redrive``: send records from the dead letters to where they came from."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from streams.admin.redrive import read_letters, report, send
from streams.errors import SettingsError
from streams.intake.dead_letters.redrive import Wanted, plan
from streams.intake.reasons import REJECTED
from streams.settings import Settings, load_settings
from streams.settings.load import config_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--config", metavar="FILE", help="settings, as of the worker")
    parser.add_argument(
        "--platform", action="append", default=[], help="of this platform only (repeatable)"
    )
    parser.add_argument(
        "--reason", action="append", default=[], choices=sorted(REJECTED), metavar="REASON",
        help="rejected for this reason only (repeatable), e.g. from_future",
    )  # fmt: skip
    parser.add_argument("--field", help="with this field at fault only, e.g. time")
    parser.add_argument("--since", metavar="TIME", help="rejected from then on, RFC 3339")
    parser.add_argument("--until", metavar="TIME", help="rejected before then, RFC 3339")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N of them")
    parser.add_argument(
        "--compacted", action="store_true",
        help="also links and items, which then go over whatever was sent for their keys since",
    )  # fmt: skip
    parser.add_argument("--send", action="store_true", help="do it; without this, only say what")


def run(args: argparse.Namespace) -> int:
    """Say what would be sent again, and with ``--send`` send it; 0.

    Raises:
        BrokerError: the broker doesn't answer, or refuses.
        SettingsError: a time can't be read, or there is no such platform.
        TopicError: there are no dead letters, because their topic doesn't exist.
    """
    settings = load_settings(config_path(args.config))
    made = plan(
        read_letters(settings),
        _wanted(args, settings),
        settings.event_topics(),
        [*settings.link_topics(), *settings.item_topics()],
    )
    if args.limit is not None:
        del made.records[args.limit :]
    print("\n".join(report(made, sent=args.send)))
    if args.send and made.records:
        send(settings, made.records)
        print(f"sent {len(made.records)}; each counts once, however often it is sent again")
    return 0


def _wanted(args: argparse.Namespace, settings: Settings) -> Wanted:
    unknown = sorted(set(args.platform) - set(settings.platform_names()))
    if unknown:
        raise SettingsError(
            f"--platform {unknown[0]!r}: there are {', '.join(settings.platform_names())}"
        )
    return Wanted(
        platforms=frozenset(args.platform),
        reasons=frozenset(args.reason),
        field=args.field,
        since_ms=_ms("--since", args.since),
        until_ms=_ms("--until", args.until),
        compacted=args.compacted,
    )


def _ms(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{option} {text!r} isn't a time; write it as 2026-01-31T12:00:00Z"
        ) from error
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
