"""What is checked before the first event: broker, topics, bundle.

Each failure says what is wrong, where, and what to do; nothing is half started.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from models.contract import Contract
from streams.errors import BrokerError, BundleError, TopicError
from streams.runtime.topics import DELETE, WantedTopic, wanted_topics
from streams.settings import Settings

LOOK_AGAIN_S: Final = 0.1


@dataclass(slots=True)
class TopicReport:
    """What the check found and did.

    Attributes:
        partitions: partitions of each topic.
        created: topics that were missing and were created.
        warnings: what works and yet isn't as it should be.
    """

    partitions: dict[str, int] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_bundle(settings: Settings, contract: Contract) -> None:
    """The bundle must know every configured platform.

    Raises:
        BundleError: it doesn't.
    """
    unknown = [n for n in settings.platform_names() if n not in contract.platforms]
    if unknown:
        raise BundleError(
            f"the bundle {settings.service.bundle} knows the platforms "
            f"{', '.join(contract.platforms)}, not {', '.join(map(repr, unknown))} of the "
            "settings; train a bundle on these platforms' events, or correct platforms[].name"
        )


async def check_topics(settings: Settings, options: Mapping[str, Any]) -> TopicReport:
    """Look at the topics on the broker; create those that are missing.

    Raises:
        BrokerError: the broker can't be reached or refuses the requests.
        TopicError: a topic is missing and may not be created, or has other partitions.
    """
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise BrokerError(
            f"no broker answers at {', '.join(settings.kafka.bootstrap)} (kafka.bootstrap) over "
            f"{settings.kafka.connection().description}: {error}; start it, or correct the "
            "address, kafka.security_protocol, or what it needs (docs/operations.md, Security)"
        ) from error
    try:
        return await _check(settings, admin)
    except KafkaError as error:
        raise BrokerError(
            f"the broker at {', '.join(settings.kafka.bootstrap)} refused a request of the "
            f"check: {error!r}; look at its log and its ACLs"
        ) from error
    finally:
        await admin.close()


async def _check(settings: Settings, admin: AIOKafkaAdminClient) -> TopicReport:
    wanted = wanted_topics(settings)
    report = TopicReport(partitions=await _partitions(admin, wanted))
    missing = [topic for topic in wanted if topic.name not in report.partitions]
    if missing and not settings.kafka.create_topics:
        names = "; ".join(f"{topic.name} ({topic.setting})" for topic in missing)
        raise TopicError(
            f"these topics don't exist and kafka.create_topics is false: {names}; create them "
            "(docs/operations.md lists their settings), or set kafka.create_topics = true"
        )
    if missing:
        report.created = await _create(settings, admin, missing)
        report.partitions = await _all_partitions(settings, admin, wanted)
    _check_partitions(wanted, report.partitions)
    if settings.kafka.create_topics:
        there = [topic for topic in wanted if topic.name not in report.created]
        report.warnings += await _check_cleanup(admin, there)
    return report


async def _partitions(admin: AIOKafkaAdminClient, wanted: Sequence[WantedTopic]) -> dict[str, int]:
    """Partitions of the wanted topics that exist.

    All topics are asked for: asking for one by its name makes a broker create it, with one
    partition and no compaction, unless its ``auto.create.topics.enable`` is off.
    """
    names = {topic.name for topic in wanted}
    there = [t for t in await admin.describe_topics() if t["topic"] in names]
    return {t["topic"]: len(t["partitions"]) for t in there if t["error_code"] == 0}


async def _all_partitions(
    settings: Settings, admin: AIOKafkaAdminClient, wanted: Sequence[WantedTopic]
) -> dict[str, int]:
    """Partitions of all wanted topics, as soon as the broker shows them all.

    Raises:
        TopicError: it doesn't, within ``kafka.request_timeout_s``.
    """
    deadline = time.monotonic() + settings.kafka.request_timeout_s
    while True:
        found = await _partitions(admin, wanted)
        missing = [topic.name for topic in wanted if topic.name not in found]
        if not missing:
            return found
        if time.monotonic() > deadline:
            raise TopicError(
                f"the broker created {', '.join(missing)} and doesn't show them after "
                f"{settings.kafka.request_timeout_s:g} s (kafka.request_timeout_s); look at its "
                "log, and at the worker's right to describe them"
            )
        await asyncio.sleep(LOOK_AGAIN_S)


async def _create(
    settings: Settings, admin: AIOKafkaAdminClient, missing: Sequence[WantedTopic]
) -> list[str]:
    """Create topics; those that nobody else created meanwhile."""
    replicas = settings.kafka.replication_factor
    response = await admin.create_topics(
        [NewTopic(t.name, t.partitions, replicas, topic_configs=t.configs) for t in missing]
    )
    created = []
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        if not code:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise TopicError(
                f"topic {name!r} couldn't be created: {error.__name__} {rest[0] if rest else ''}; "
                f"check kafka.replication_factor ({replicas}) against the number of brokers, and "
                "the rights of the worker"
            )
    return created


def _check_partitions(wanted: Sequence[WantedTopic], partitions: Mapping[str, int]) -> None:
    for topic in wanted:
        there = partitions[topic.name]
        if topic.exact and there != topic.partitions:
            raise TopicError(
                f"topic {topic.name!r} ({topic.setting}) has {there} partitions, but "
                f"events.partitions is {topic.partitions}; set events.partitions = {there}, or "
                "give the service another service.name and events.topic"
            )


async def _check_cleanup(admin: AIOKafkaAdminClient, topics: Sequence[WantedTopic]) -> list[str]:
    """Topics that must be compacted and aren't, or the other way round."""
    if not topics:
        return []
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    policies: dict[str, str] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            values = {entry[0]: entry[1] for entry in entries}
            policies[name] = values.get("cleanup.policy", "")
    warnings = []
    for topic in topics:
        policy = policies.get(topic.name, topic.cleanup)
        if not set(topic.cleanup.split(",")) <= set(policy.split(",")):
            warnings.append(
                f"topic {topic.name!r} ({topic.setting}) has cleanup.policy={policy}, it should "
                f"be {topic.cleanup}: change it with kafka-configs.sh --alter, or old values "
                f"{'stay for ever' if topic.cleanup == DELETE else 'vanish or stay too long'}"
            )
    return warnings
