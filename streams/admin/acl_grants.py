"""Rights granted at the broker."""

from __future__ import annotations

import re
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

from streams.admin.acls import Right
from streams.errors import BrokerError
from streams.settings import Settings


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
