"""``interest-stream bundle``: announce a bundle to running workers, go back, see who runs what."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from streams.admin.bundle_topics import announce, connected, retire, rollback, status
from streams.cli import worker
from streams.settings import Settings, load, load_settings
from streams.settings.logs import configure_logging


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
    settings = load_settings(load.config_path(args.config))
    configure_logging("warning")
    commands: dict[str, Callable[[Settings, argparse.Namespace], Awaitable[int]]] = {
        "announce": announce,
        "rollback": rollback,
        "retire": retire,
        "status": status,
    }
    return asyncio.run(connected(commands[args.what](settings, args), settings))
