"""What the check before the first event makes of a bundle, and of a broker's answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from models.contract import ACTIONS, Contract
from streams.errors import BrokerError, BundleError, TopicError
from streams.runtime import checks
from streams.runtime.checks import check_bundle, check_topics
from streams.runtime.topics import wanted_topics
from streams.settings import Settings
from tests.unit.streams.runtime.fakes import settings

DAY_MS = 86_400_000


def contract(*platforms: str) -> Contract:
    return Contract(platforms, ACTIONS, 8, 8, 8)


def test_a_bundle_may_know_more_platforms_than_are_configured() -> None:
    check_bundle(settings(), contract("news", "shop", "video"))


def test_a_platform_that_the_bundle_lacks_is_named_with_the_remedy() -> None:
    with pytest.raises(BundleError, match=r"knows the platforms video, news, not 'shop'.*train"):
        check_bundle(settings(), contract("video", "news"))


# -- what the check makes of a broker's answers


class FakeAdmin:
    """An admin client that knows some topics; ``create`` is the error of each creation."""

    def __init__(self, there: dict[str, int], create: type[Exception] | None = None) -> None:
        self.there = dict(there)
        self.policies: dict[str, str] = {}
        self.create = create
        self.created: list[Any] = []
        self.refuses: Exception | None = None
        self.unreachable: Exception | None = None
        self.closed = False
        self.shown_later: list[dict[str, int]] = []  # what each answer adds, last first

    async def start(self) -> None:
        if self.unreachable:
            raise self.unreachable

    async def close(self) -> None:
        self.closed = True

    async def describe_topics(self, names: list[str] | None = None) -> list[dict[str, Any]]:
        if self.refuses:
            raise self.refuses
        # Asked by name, Kafka creates a topic, with its own defaults.
        self.there |= {name: 1 for name in names or () if name not in self.there}
        self.there |= self.shown_later.pop() if self.shown_later else {}
        return [
            {"topic": name, "error_code": 0, "partitions": [None] * count}
            for name, count in [*self.there.items(), ("another's", 3)]
        ]

    async def create_topics(self, topics: list[Any]) -> Any:
        self.created += topics
        code = self.create.errno if self.create else 0  # type: ignore[attr-defined]
        if not code:
            self.there |= {t.name: t.num_partitions for t in topics}
        return SimpleNamespace(topic_errors=[(t.name, code, "the reason") for t in topics])

    async def describe_configs(self, resources: list[Any]) -> list[Any]:
        rows = [
            (0, None, 2, r.name, [("cleanup.policy", self.policies.get(r.name, "delete"))])
            for r in resources
        ]
        return [SimpleNamespace(resources=rows)]


def all_there(given: Settings) -> dict[str, int]:
    return {topic.name: topic.partitions for topic in wanted_topics(given)}


def right_policies(given: Settings) -> dict[str, str]:
    return {topic.name: topic.cleanup for topic in wanted_topics(given)}


async def check(
    monkeypatch: pytest.MonkeyPatch, given: Settings, admin: FakeAdmin
) -> checks.TopicReport:
    monkeypatch.setattr(checks, "AIOKafkaAdminClient", lambda **options: admin)
    try:
        return await check_topics(given, {"bootstrap_servers": "x"})
    finally:
        assert admin.closed


async def test_all_topics_there_as_they_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = FakeAdmin(all_there(settings()))
    admin.policies = right_policies(settings())
    report = await check(monkeypatch, settings(), admin)
    assert (report.partitions, report.created, report.warnings) == (admin.there, [], [])


async def test_missing_topics_are_created_with_their_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = settings(kafka={"replication_factor": 3})
    there = all_there(given)
    del there["shop.links"], there["taps"]
    admin = FakeAdmin(there)
    admin.policies = right_policies(given)
    report = await check(monkeypatch, given, admin)
    assert report.created == ["taps", "shop.links"]
    assert report.partitions == all_there(given)
    made = {
        t.name: (t.num_partitions, t.replication_factor, t.topic_configs) for t in admin.created
    }
    assert made == {
        "taps": (4, 3, {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}),
        "shop.links": (4, 3, {"cleanup.policy": "compact"}),
    }


async def test_topics_that_another_worker_just_created_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = FakeAdmin({}, create=TopicAlreadyExistsError)
    admin.policies = right_policies(settings())
    admin.shown_later = [all_there(settings()), {}, {}]
    report = await check(monkeypatch, settings(), admin)
    assert (report.partitions, report.created) == (all_there(settings()), [])


async def test_what_somebody_else_created_meanwhile_is_checked_like_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = FakeAdmin({}, create=TopicAlreadyExistsError)
    admin.shown_later = [{**all_there(settings()), "interest.events": 1}, {}]
    with pytest.raises(TopicError, match=r"interest.events.* has 1 partitions"):
        await check(monkeypatch, settings(), admin)


async def test_a_broker_that_never_shows_what_it_created_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "LOOK_AGAIN_S", 0.01)
    times = iter(range(0, 1_000, 15))
    monkeypatch.setattr(checks, "time", SimpleNamespace(monotonic=lambda: next(times)))
    admin = FakeAdmin({}, create=TopicAlreadyExistsError)
    with pytest.raises(TopicError, match=r"shop.links.* doesn't show them after 40 s"):
        await check(monkeypatch, settings(), admin)


@pytest.mark.parametrize(
    "error",
    [InvalidReplicationFactorError, TopicAuthorizationFailedError],
    ids=lambda e: e.__name__,
)
async def test_a_refused_creation_names_topic_error_and_remedy(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    with pytest.raises(TopicError) as raised:
        await check(monkeypatch, settings(), FakeAdmin({}, create=error))
    for word in ("'interest.events'", error.__name__, "replication_factor (1)", "the reason"):
        assert word in str(raised.value)


async def test_missing_topics_that_may_not_be_created_are_all_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = settings(kafka={"create_topics": False})
    there = all_there(given)
    del there["taps"], there["shop.items"]
    admin = FakeAdmin(there)
    with pytest.raises(TopicError, match=r"taps \(platforms\[shop\].topics\); shop.items"):
        await check(monkeypatch, given, admin)
    assert admin.created == []


@pytest.mark.parametrize("topic", ["interest.events", "interest-stream-users-changelog"])
async def test_another_number_of_partitions_of_the_log_is_an_error(
    monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    admin = FakeAdmin({**all_there(settings()), topic: 3})
    with pytest.raises(TopicError, match=rf"{topic}.* has 3 partitions.*is 8.*partitions = 3"):
        await check(monkeypatch, settings(), admin)


async def test_platforms_topics_may_have_any_number_of_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = FakeAdmin({**all_there(settings()), "taps": 17, "interest.vectors.shop": 3})
    admin.policies = right_policies(settings())
    report = await check(monkeypatch, settings(), admin)
    assert (report.partitions["taps"], report.warnings) == (17, [])


async def test_a_wrong_cleanup_policy_is_a_warning_both_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = FakeAdmin(all_there(settings()))
    admin.policies = right_policies(settings()) | {
        "interest.vectors.shop": "delete",
        "interest.events": "compact",
        "shop.links": "compact,delete",
    }
    warnings = (await check(monkeypatch, settings(), admin)).warnings
    assert len(warnings) == 2
    assert "'interest.events' (events.topic) has cleanup.policy=compact" in warnings[0]
    assert "'interest.vectors.shop' (output.topic) has cleanup.policy=delete" in warnings[1]
    assert "old values vanish" in warnings[1]


async def test_an_unreachable_broker_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = FakeAdmin({})
    admin.unreachable = KafkaConnectionError("nobody there")
    with pytest.raises(BrokerError, match=r"localhost:9092 \(kafka.bootstrap\).*nobody there"):
        await check(monkeypatch, settings(), admin)


async def test_a_refused_request_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = FakeAdmin({})
    admin.refuses = TopicAuthorizationFailedError()
    with pytest.raises(BrokerError, match=r"refused a request.*ACLs"):
        await check(monkeypatch, settings(), admin)
