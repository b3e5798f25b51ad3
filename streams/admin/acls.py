"""Who needs which rights at the broker: the least that each principal's work takes.

A role is a kind of principal: the worker, one platform's producer or recommender, and the few
people who may touch more. Rights are data; ``interest-stream acls`` prints or applies them.

Kafka's rules that this relies on (https://kafka.apache.org/documentation/#security_authz): READ
and WRITE each include DESCRIBE; a producer that is idempotent needs no right beyond WRITE on its
topic (since 3.0); a consumer without a group, as ``InterestFeed`` is, needs no right to one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.errors import SettingsError
from streams.runtime.topics import changelog_topic, wanted_topics
from streams.settings import Settings

READ, WRITE, CREATE, CONFIGS = "Read", "Write", "Create", "DescribeConfigs"
TOPIC, GROUP, TRANSACTION = "topic", "group", "transactional-id"
WORKER: Final = "worker"
REDRIVE: Final = "redrive"
PRIVACY: Final = "privacy"
ANNOUNCER: Final = "announcer"
PRODUCER: Final = "producer"
RECOMMENDER: Final = "recommender"


@dataclass(frozen=True, slots=True)
class Right:
    """What one role may do with one resource.

    Attributes:
        role: ``worker``, ``redrive``, ``privacy``, ``announcer``, ``producer:{platform}`` or
            ``recommender:{platform}``.
        kind: ``topic``, ``group`` or ``transactional-id``.
        name: its name, or what it begins with.
        operations: Kafka's names of operations.
        prefixed: whether ``name`` is a prefix.
    """

    role: str
    kind: str
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


def rights(settings: Settings) -> list[Right]:
    """The rights of every role, for the topics that the settings name."""
    return [
        *_worker(settings),
        *_redrive(settings),
        *_privacy(settings),
        *_announcer(settings),
        *_producers(settings),
        *_recommenders(settings),
    ]


def _worker(settings: Settings) -> Iterator[Right]:
    service = settings.service.name
    # An erasure reads the dead letters to take back those that hold the id.
    both = {settings.events.topic, changelog_topic(settings), settings.deadletter.topic}
    written = {settings.bundles.status_topic, *settings.output_topics().values()}
    # The check at start creates what is missing, and looks whether it is compacted.
    makes = (CREATE, CONFIGS) if settings.kafka.create_topics else ()
    for name in (topic.name for topic in wanted_topics(settings)):
        used = (READ, WRITE) if name in both else (WRITE,) if name in written else (READ,)
        yield Right(WORKER, TOPIC, name, used + makes)
    yield Right(WORKER, GROUP, service, (READ,))
    if settings.kafka.fencing:
        yield Right(WORKER, TRANSACTION, f"{service}-users-", (WRITE,), prefixed=True)


def _redrive(settings: Settings) -> Iterator[Right]:
    """Whoever sends dead letters again writes as every platform's producer would."""
    yield Right(REDRIVE, TOPIC, settings.deadletter.topic, (READ,))
    for topic in settings.intake_topics():
        if topic in settings.privacy_topics():
            continue  # erasing users takes more than sending records again
        yield Right(REDRIVE, TOPIC, topic, (WRITE,))


def _privacy(settings: Settings) -> Iterator[Right]:
    """Whoever says what users allow, erases them, and proves it: it takes reading what is kept."""
    for topic in settings.privacy_topics():
        yield Right(PRIVACY, TOPIC, topic, (READ, WRITE))
    kept = (changelog_topic(settings), settings.events.topic, settings.deadletter.topic)
    for topic in (
        *kept,
        *settings.link_topics(),
        *dict.fromkeys(settings.output_topics().values()),
    ):
        yield Right(PRIVACY, TOPIC, topic, (READ,))


def _announcer(settings: Settings) -> Iterator[Right]:
    """Whoever announces bundles decides what every vector says: nobody else may write there."""
    yield Right(ANNOUNCER, TOPIC, settings.bundles.topic, (READ, WRITE))
    yield Right(ANNOUNCER, TOPIC, settings.bundles.status_topic, (READ,))


def _producers(settings: Settings) -> Iterator[Right]:
    for platform in settings.platforms:
        links = (platform.links,) if platform.links else ()
        for topic in (*platform.event_topics(), platform.items, *links):
            yield Right(f"{PRODUCER}:{platform.name}", TOPIC, topic, (WRITE,))


def _recommenders(settings: Settings) -> Iterator[Right]:
    for platform, topic in settings.output_topics().items():
        yield Right(f"{RECOMMENDER}:{platform}", TOPIC, topic, (READ,))


def warnings(settings: Settings) -> list[str]:
    """Where the settings leave nothing for ACLs to keep apart."""
    if not settings.output.single_topic:
        return []
    return [
        f"output.topic {settings.output.topic!r} has no {{target}}: every recommender reads every "
        "platform's vectors, and no ACL can keep them apart"
    ]


def principals(settings: Settings, given: Sequence[str]) -> dict[str, str]:
    """Role -> principal; without further word it is named after its role.

    Args:
        settings: of the worker; its ``kafka.username`` is the worker's principal.
        given: ``ROLE=PRINCIPAL``, for instance ``producer:shop=User:shop-team``.

    Raises:
        SettingsError: one of ``given`` isn't of that form, or there is no such role.
    """
    roles = list(dict.fromkeys(right.role for right in rights(settings)))
    named = {role: f"User:{role.replace(':', '-')}" for role in roles}
    named[WORKER] = f"User:{settings.kafka.username or settings.service.name}"
    for text in given:
        role, _, principal = text.partition("=")
        if role not in named or ":" not in principal:
            raise SettingsError(
                f"--principal {text!r} can't be used; write ROLE=User:NAME with one of the roles "
                f"{', '.join(roles)}"
            )
        named[role] = principal
    return named


def kafka_acls(
    wanted: Iterable[Right], named: Mapping[str, str], bootstrap: Sequence[str]
) -> Iterator[str]:
    """Lines of a shell script that grants the rights with Kafka's own command."""
    yield "#!/bin/sh"
    yield "# Made by `interest-stream acls`. ADMIN is a file with the administrator's login:"
    yield "# security.protocol, sasl.mechanism, sasl.jaas.config, ssl.truststore.location, ..."
    yield "set -e"
    yield f': "${{BOOTSTRAP:={",".join(bootstrap)}}}"'
    role = None
    for right in wanted:
        if right.role != role:
            role = right.role
            yield f"\n# {role}"
        yield " ".join(_grant(right, named[right.role]))


def _grant(right: Right, principal: str) -> Iterator[str]:
    yield 'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" ${ADMIN:+--command-config "$ADMIN"} --add'
    yield f"--allow-principal {shlex.quote(principal)}"
    yield from (f"--operation {operation}" for operation in right.operations)
    yield f"--{right.kind} {shlex.quote(right.name)}"
    if right.prefixed:
        yield "--resource-pattern-type prefixed"


def table(wanted: Sequence[Right], named: Mapping[str, str]) -> list[str]:
    """The rights as lines of a table."""
    rows = [
        (named[r.role], r.kind, r.name + ("*" if r.prefixed else ""), ", ".join(r.operations))
        for r in wanted
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    return ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
