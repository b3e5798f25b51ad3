"""``interest-stream erasure prove ID``: what is left of an erased user, topic by topic."""

from __future__ import annotations

import argparse
from collections import Counter

from streams.admin.erasure.report import FOUND, as_line, summary
from streams.admin.erasure.search import find_traces
from streams.admin.erasure.traces import Subject, Verdict
from streams.errors import SettingsError
from streams.settings import Settings, load_settings
from streams.settings.load import config_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "action", choices=("prove",), metavar="prove",
        help="read the topics and say what is left of an id; exit code 1 if anything is",
    )  # fmt: skip
    parser.add_argument("id", metavar="ID", help="the user id, or with --platform a local id")
    parser.add_argument("--platform", help="ID is a local id of this platform, of nobody's")
    parser.add_argument(
        "--local", action="append", default=[], metavar="PLATFORM=ID",
        help="a local id that is known to have been the user's; those in the links, the log and "
        "the changelog are found without",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object per finding")
    parser.add_argument("--config", metavar="FILE", help="settings, as of the worker")


def run(args: argparse.Namespace) -> int:
    """Read every topic of the service to its end and report.

    Returns:
        0 where nothing is left that should be gone, 1 where something is.

    Raises:
        BrokerError: a topic can't be read.
        SettingsError: a platform isn't configured.
    """
    settings = load_settings(config_path(args.config))
    subject = _subject(args, settings)
    counts: Counter[Verdict] = Counter()
    for finding in find_traces(settings, subject):
        counts[finding.verdict] += 1
        print(as_line(finding, as_json=args.json), flush=True)
    if not args.json:
        print(summary(subject, counts))
    return FOUND if counts[Verdict.LEFT] else 0


def _subject(args: argparse.Namespace, settings: Settings) -> Subject:
    known = settings.platform_names()
    pairs = [tuple(text.partition("=")[::2]) for text in args.local]
    pairs += [(args.platform, args.id)] if args.platform else []
    for platform, identity in pairs:
        if platform not in known or not identity:
            raise SettingsError(
                f"{platform!r} with the id {identity!r} can't be looked for; name one of the "
                f"platforms {', '.join(known)}, and an id"
            )
    return Subject("" if args.platform else args.id, set(pairs))
