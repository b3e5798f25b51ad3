"""Which topics are wanted, with which settings."""

from __future__ import annotations

from streams.runtime.topics import WantedTopic, wanted_topics
from tests.unit.streams.runtime.fakes import settings

DAY_MS = 86_400_000


def by_name(wanted: list[WantedTopic]) -> dict[str, WantedTopic]:
    assert len({topic.name for topic in wanted}) == len(wanted)
    return {topic.name: topic for topic in wanted}


def test_every_topic_of_the_settings_is_wanted() -> None:
    assert set(by_name(wanted_topics(settings()))) == {
        "interest.events",
        "interest-stream-users-changelog",
        *("interest.consent", "interest.erasure"),
        *("interest.deadletter", "interest.bundles", "interest.bundles.status"),
        *("video.browse", "video.click", "video.purchase", "video.items"),
        *("clicks", "taps", "all", "shop.items", "shop.links"),
        *("interest.vectors.video", "interest.vectors.shop"),
    }


def test_states_and_everything_with_a_last_value_are_compacted() -> None:
    wanted = wanted_topics(settings())
    compacted = {t.name for t in wanted if t.configs["cleanup.policy"] == "compact"}
    assert compacted == {
        *("interest.consent", "interest.erasure"),
        "interest-stream-users-changelog",
        *("interest.bundles", "interest.bundles.status"),
        *("video.items", "shop.items", "shop.links"),
        *("interest.vectors.video", "interest.vectors.shop"),
    }


def test_what_was_taken_back_is_gone_from_the_disks_within_a_stated_time() -> None:
    wanted = wanted_topics(settings(erasure={"compaction_days": 2}))
    bounded = {t.name for t in wanted if t.configs.get("max.compaction.lag.ms") == str(2 * DAY_MS)}
    assert bounded == {
        *("interest-stream-users-changelog", "interest.deadletter"),
        *("interest.vectors.video", "interest.vectors.shop"),
    }


def test_dead_letters_are_compacted_and_deleted() -> None:
    letters = by_name(wanted_topics(settings()))["interest.deadletter"]
    assert letters.configs["cleanup.policy"] == "compact,delete"


def test_that_a_letter_was_taken_back_is_known_for_as_long_as_it_would_have_been_there() -> None:
    wanted = wanted_topics(settings(deadletter={"retention_days": 90}))
    kept = {t.name: t.configs.get("delete.retention.ms") for t in wanted}
    assert {name: ms for name, ms in kept.items() if ms} == {
        "interest.deadletter": str(90 * DAY_MS)
    }


def test_partitions_and_retention_are_the_settings() -> None:
    wanted = by_name(
        wanted_topics(
            settings(
                events={"partitions": 6, "retention_days": 2.5},
                intake={"partitions": 3, "retention_days": 1},
                deadletter={"partitions": 2, "retention_days": 90},
                output={"partitions": 5},
            )
        )
    )
    log, letters, clicks = (wanted[n] for n in ("interest.events", "interest.deadletter", "clicks"))
    assert (log.partitions, log.retention_ms) == (6, int(2.5 * DAY_MS))
    assert (letters.partitions, letters.retention_ms) == (2, 90 * DAY_MS)
    assert (clicks.partitions, clicks.retention_ms) == (3, DAY_MS)
    assert clicks.configs == {"cleanup.policy": "delete", "retention.ms": str(DAY_MS)}
    assert wanted["interest.vectors.shop"].partitions == 5
    assert wanted["shop.links"].partitions == 3
    changelog = wanted["interest-stream-users-changelog"]
    assert (changelog.partitions, changelog.exact, log.exact) == (6, True, True)
    assert not any(t.exact for t in wanted.values() if t not in (log, changelog))


def test_a_single_output_topic_is_wanted_once() -> None:
    wanted = by_name(wanted_topics(settings(output={"topic": "vectors"})))
    assert [name for name in wanted if "vectors" in name] == ["vectors"]


def test_each_topic_names_the_setting_that_it_comes_from() -> None:
    wanted = by_name(wanted_topics(settings()))
    assert wanted["taps"].setting == "platforms[shop].topics"
    assert wanted["shop.links"].setting == "platforms[shop].links"
    assert wanted["interest-stream-users-changelog"].setting == "service.name"
