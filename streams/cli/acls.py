"""``interest-stream acls``: print the least rights of each principal, or grant them."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import KafkaError

from streams.admin.acls import Right, kafka_acls, principals, rights, warnings
from streams.errors import BrokerError
from streams.runtime.worker import config_path
from streams.settings import Settings, load_settings


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
        print("\n".join(_table(wanted, named)))
    else:
        print("\n".join(kafka_acls(wanted, named, settings.kafka.bootstrap)))
    return 0


def _table(wanted: Sequence[Right], named: Mapping[str, str]) -> list[str]:
    rows = [
        (named[r.role], r.kind, r.name + ("*" if r.prefixed else ""), ", ".join(r.operations))
        for r in wanted
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    return ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]


def apply(settings: Settings, wanted: Sequence[Right], named: Mapping[str, str]) -> None:
    """Grant rights at the broker; those that are granted already stay.

    Raises:
        BrokerError: the broker doesn't answer, or refuses.
    """
    where = ", ".join(settings.kafka.bootstrap)
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=list(settings.kafka.bootstrap),
            **settings.kafka.connection().python_options(),
        )
        try:
            answer: dict[str, Any] = admin.create_acls(
                [acl for right in wanted for acl in _acls(right, named[right.role])]
            )
        finally:
            admin.close()
    except KafkaError as error:
        raise BrokerError(
            f"the broker at {where} ({settings.kafka.connection().description}) didn't take the "
            f"ACLs: {error!r}; is an authorizer configured, and is this an administrator?"
        ) from error
    if answer["failed"]:
        raise BrokerError(
            f"the broker at {where} refused {len(answer['failed'])} of {len(wanted)} ACLs: "
            f"{answer['failed'][0].__name__}; is an authorizer configured, and is this an "
            "administrator?"
        )


def _acls(right: Right, principal: str) -> list[ACL]:
    kind = ResourceType[right.kind.replace("-", "_").upper()]
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    return [
        ACL(
            principal,
            "*",
            ACLOperation[_snake(operation)],
            ACLPermissionType.ALLOW,
            ResourcePattern(kind, right.name, pattern),
        )
        for operation in right.operations
    ]


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper()
