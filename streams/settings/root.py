"""All settings together, what contradicts across sections, and the names derived from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Self

from pydantic import Field, model_validator

from streams.settings.base import Section, topic_is_legal
from streams.settings.sections.bundles import Bundles, Quality
from streams.settings.sections.deadletter import DeadLetter
from streams.settings.sections.events import Events
from streams.settings.sections.http import Http
from streams.settings.sections.intake import Intake
from streams.settings.sections.kafka import Kafka
from streams.settings.sections.onnx import Onnx
from streams.settings.sections.output import TARGET, Output
from streams.settings.sections.platform import Platform
from streams.settings.sections.privacy import Consent, Erasure
from streams.settings.sections.service import Service
from streams.settings.sections.watchdog import Watchdog
from streams.settings.sections.window import Window


class ContradictionError(ValueError):
    """Settings that are each possible and together aren't.

    Attributes:
        problems: one line each: field path, value, remedy.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class Settings(Section):
    """Everything that the worker can be told."""

    service: Service = Field(default_factory=Service)
    kafka: Kafka = Field(default_factory=Kafka)
    intake: Intake = Field(default_factory=Intake)
    events: Events = Field(default_factory=Events)
    window: Window = Field(default_factory=Window)
    output: Output = Field(default_factory=Output)
    deadletter: DeadLetter = Field(default_factory=DeadLetter)
    consent: Consent = Field(default_factory=Consent)
    erasure: Erasure = Field(default_factory=Erasure)
    bundles: Bundles = Field(default_factory=Bundles)
    quality: Quality = Field(default_factory=Quality)
    http: Http = Field(default_factory=Http)
    onnx: Onnx = Field(default_factory=Onnx)
    watchdog: Watchdog = Field(default_factory=Watchdog)
    platforms: tuple[Platform, ...] = Field(
        min_length=1, description="The platforms, one `[[platforms]]` table each."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*_repeated_platforms(self), *_repeated_topics(self), *_bad_outputs(self)]
        if problems:
            raise ContradictionError(problems)
        return self

    def platform(self, name: str) -> Platform:
        """The platform of that name.

        Raises:
            KeyError: no platform has it.
        """
        for platform in self.platforms:
            if platform.name == name:
                return platform
        raise KeyError(f"no platform {name!r}; there are {', '.join(self.platform_names())}")

    def platform_names(self) -> tuple[str, ...]:
        """Names of all platforms, in the file's order."""
        return tuple(platform.name for platform in self.platforms)

    def event_topics(self) -> dict[str, tuple[str, str | None]]:
        """Topic -> (platform, default action; None where the records name it)."""
        return {
            topic: (platform.name, action)
            for platform in self.platforms
            for topic, action in platform.event_topics().items()
        }

    def link_topics(self) -> dict[str, str]:
        """Links topic -> platform, for the platforms whose ids are linked."""
        return {p.links: p.name for p in self.platforms if p.ids == "linked"}

    def item_topics(self) -> dict[str, str]:
        """Items topic -> platform."""
        return {p.items: p.name for p in self.platforms}

    def source_topics(self) -> tuple[str, ...]:
        """Every topic whose records go into the log: events, links, consent and erasure."""
        return (*self.event_topics(), *self.link_topics(), *self.privacy_topics())

    def privacy_topics(self) -> tuple[str, str]:
        """The topics of consent and of erasure."""
        return self.consent.topic, self.erasure.topic

    def intake_topics(self) -> tuple[str, ...]:
        """Every topic that intake looks through: the sources of the log, and items."""
        return (*self.source_topics(), *self.item_topics())

    def output_topic(self, target: str) -> str:
        """Topic with the vectors for the platform ``target``."""
        return self.output.topic.replace(TARGET, target)

    def output_topics(self) -> dict[str, str]:
        """Platform -> topic with its vectors."""
        return {name: self.output_topic(name) for name in self.platform_names()}


def _repeated_platforms(settings: Settings) -> list[str]:
    counts = Counter(settings.platform_names())
    return [
        f"platforms: {count} platforms have the name {name!r}; give each its own name"
        for name, count in counts.items()
        if count > 1
    ]


def _topic_uses(settings: Settings) -> list[tuple[str, str]]:
    """(topic, field path) for every topic that a setting names."""
    uses = [
        (settings.events.topic, "events.topic"),
        (settings.deadletter.topic, "deadletter.topic"),
        (settings.consent.topic, "consent.topic"),
        (settings.erasure.topic, "erasure.topic"),
        (settings.bundles.topic, "bundles.topic"),
        (settings.bundles.status_topic, "bundles.status_topic"),
        *((topic, "output.topic") for topic in sorted(set(settings.output_topics().values()))),
    ]
    for place, platform in enumerate(settings.platforms):
        path = f"platforms[{place}]"
        for action, topics in platform.topics.items():
            uses.extend((topic, f"{path}.topics.{action}") for topic in topics)
        uses.append((platform.items, f"{path}.items"))
        if platform.links:
            uses.append((platform.links, f"{path}.links"))
    return uses


def _repeated_topics(settings: Settings) -> list[str]:
    places: dict[str, list[str]] = defaultdict(list)
    for topic, path in _topic_uses(settings):
        places[topic].append(path)
    return [
        f"{', '.join(paths)}: all name the topic {topic!r}; give each its own topic (a topic "
        "with several actions of one platform goes under `topics.any`)"
        for topic, paths in places.items()
        if len(paths) > 1
    ]


def _bad_outputs(settings: Settings) -> list[str]:
    return [
        f"output.topic: gives {topic!r} for the platform {name!r}, which isn't a legal Kafka "
        "topic name; shorten it"
        for name, topic in settings.output_topics().items()
        if not topic_is_legal(topic)
    ]
