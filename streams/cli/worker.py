"""``interest-stream worker``: check, then run until a signal."""

from __future__ import annotations

import argparse

from streams.runtime import worker
from streams.settings import load_settings
from streams.settings.load import config_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings (TOML); default: $INTEREST_STREAM_CONFIG, then interest-stream.toml",
    )


def run(args: argparse.Namespace) -> int:
    """Run a worker; its exit code (:func:`streams.runtime.worker.run`)."""
    return worker.run(load_settings(config_path(args.config)))
