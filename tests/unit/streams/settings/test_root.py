"""Names derived from the settings, and contradictions between them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from streams.errors import SettingsError
from streams.settings import parse_settings

VIDEO = {"name": "video"}
SHOP = {"name": "shop", "ids": "linked"}


def message_of(raw: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw)
    return str(caught.value)


def test_topics_follow_from_the_names() -> None:
    settings = parse_settings({"platforms": [VIDEO, SHOP]})
    assert settings.platform_names() == ("video", "shop")
    assert settings.event_topics() == {
        "video.browse": ("video", "browse"),
        "video.click": ("video", "click"),
        "video.purchase": ("video", "purchase"),
        "shop.browse": ("shop", "browse"),
        "shop.click": ("shop", "click"),
        "shop.purchase": ("shop", "purchase"),
    }
    assert settings.link_topics() == {"shop.links": "shop"}
    assert settings.item_topics() == {"video.items": "video", "shop.items": "shop"}
    assert settings.source_topics()[-3:] == ("shop.links", "interest.consent", "interest.erasure")
    assert settings.output_topics() == {
        "video": "interest.vectors.video",
        "shop": "interest.vectors.shop",
    }
    assert not settings.output.single_topic


def test_topics_can_be_given() -> None:
    topics = {"click": "clicks", "favourite": ["likes", "hearts"], "any": "all"}
    settings = parse_settings({"platforms": [{"name": "news", "topics": topics}]})
    assert settings.event_topics() == {
        "clicks": ("news", "click"),
        "likes": ("news", "favourite"),
        "hearts": ("news", "favourite"),
        "all": ("news", None),
    }


def test_one_topic_for_all_targets() -> None:
    settings = parse_settings({"platforms": [VIDEO, SHOP], "output": {"topic": "vectors"}})
    assert settings.output_topics() == {"video": "vectors", "shop": "vectors"}
    assert settings.output.single_topic


def test_unknown_platform_is_named() -> None:
    with pytest.raises(KeyError, match="there are video"):
        parse_settings({"platforms": [VIDEO]}).platform("films")


def test_settings_are_frozen() -> None:
    settings = parse_settings({"platforms": [VIDEO]})
    with pytest.raises(ValidationError):
        settings.window.events = 3


def test_contradictions_across_sections_are_reported_together() -> None:
    twice = {"name": "video", "topics": {"click": "interest.events"}, "items": "i"}
    text = message_of({"platforms": [VIDEO, twice]})
    assert "2 platforms have the name 'video'" in text
    assert "events.topic, platforms[1].topics.click: all name the topic 'interest.events'" in text


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"topics": {"click": "a", "browse": "a"}}, "topics.any"),
        ({"topics": {"clack": "a"}}, "platforms[0].topics.clack"),
        ({"topics": {"click": "a b"}}, "isn't a legal Kafka topic name"),
        ({"topics": {}}, "names no event topic"),
        ({"topics": {"click": []}}, "names no event topic"),
        ({"items": ""}, "empty `items`"),
        ({"ids": "linked", "links": ""}, "empty `links`"),
        ({"links": "x"}, "shared ids and the links topic 'x'"),
        ({"name": "a/b"}, "isn't a usable platform name"),
        ({"name": ""}, "isn't a usable platform name"),
        ({"name": "a.b"}, "isn't a usable platform name"),
        ({"name": "x" * 65}, "isn't a usable platform name"),
        ({"user_id_is": "local"}, 'shared ids and user_id_is = "local"'),
        ({"ids": "both"}, "platforms[0].ids"),
        ({"format": "avro"}, "platforms[0].format"),
    ],
)
def test_wrong_platforms(raw: dict[str, Any], says: str) -> None:
    assert says in message_of({"platforms": [{**VIDEO, **raw}]})


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("kafka", {"session_timeout_s": 3}, "at least twice the heartbeat"),
        ("kafka", {"request_timeout_s": 5}, "make the request timeout the longer one"),
        ("kafka", {"bootstrap": []}, "kafka.bootstrap"),
        ("kafka", {"bootstrap": "http://a:1"}, "host:port"),
        ("kafka", {"bootstrap": "a:70000"}, "host:port"),
        ("window", {"events": 0}, "window.events"),
        ("window", {"days": 0}, "window.days"),
        ("output", {"topic": "vectors.{user}"}, "isn't a legal topic name"),
        ("output", {"topic": "x" * 245 + "{target}"}, "shorten it"),
        ("output", {"topic": ".."}, "isn't a legal topic name"),
        ("output", {"topic": "interest.deadletter"}, "all name the topic"),
        ("events", {"topic": "a b"}, "events.topic: 'a b' isn't a legal Kafka topic name"),
        ("service", {"name": ""}, "service.name"),
        ("service", {"users_in_memory": 1024}, "at least four times as large"),
        ("window", {"events": 63}, "multiple of 2"),
        ("http", {"port": 0}, "http.port"),
    ],
)
def test_wrong_sections(section: str, values: dict[str, Any], says: str) -> None:
    assert says in message_of({"platforms": [VIDEO], section: values})


def test_nobody_but_this_machine_is_listened_to_unless_it_is_said() -> None:
    assert parse_settings({"platforms": [VIDEO]}).http.host == "127.0.0.1"
