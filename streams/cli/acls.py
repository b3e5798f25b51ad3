"""``interest-stream acls``: print the least rights of each principal, or grant them."""

from __future__ import annotations

import argparse
import sys

from streams.admin.acl_grants import apply
from streams.admin.acls import kafka_acls, principals, rights, table, warnings
from streams.settings import load_settings
from streams.settings.load import config_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--config", metavar="FILE", help="the worker's settings (TOML)")
    parser.add_argument(
        "--principal", action="append", default=[], metavar="ROLE=PRINCIPAL",
        help="who has a role, for instance producer:shop=User:shop-team (default: User:ROLE)",
    )  # fmt: skip
    parser.add_argument(
        "--role", action="append", default=[], metavar="ROLE", help="this role only (repeatable)"
    )
    parser.add_argument(
        "--format", choices=("kafka-acls", "table"), default="kafka-acls",
        help="a script for Kafka's own command (default), or a table",
    )  # fmt: skip
    parser.add_argument(
        "--apply", action="store_true",
        help="grant them at the broker of the settings, whose login must be an administrator's",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print the rights, or grant them; 0."""
    settings = load_settings(config_path(args.config))
    named = principals(settings, args.principal)
    wanted = [r for r in rights(settings) if not args.role or r.role in args.role]
    for warning in warnings(settings):
        print(f"warning: {warning}", file=sys.stderr)
    if args.apply:
        apply(settings, wanted, named)
        print(f"{len(wanted)} resources granted to {len({r.role for r in wanted})} roles")
    elif args.format == "table":
        print("\n".join(table(wanted, named)))
    else:
        print("\n".join(kafka_acls(wanted, named, settings.kafka.bootstrap)))
    return 0
