"""Which topics a worker needs, and what they must be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streams.settings import Settings

DAY_MS: Final = 86_400_000
COMPACT: Final = "compact"
DELETE: Final = "delete"


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic that the worker needs.

    Attributes:
        name: topic name.
        setting: the setting that names it, for messages.
        partitions: partitions if it is created.
        exact: another number of partitions is an error.
        cleanup: ``compact``, ``delete``, or both with a comma.
        retention_ms: retention if it is created with ``delete``.
        lag_ms: within this time what was overwritten is gone, if it is created with ``compact``.
        tombstones_ms: for so long a reader finds that something was taken back, if it is created.
    """

    name: str
    setting: str
    partitions: int
    exact: bool = False
    cleanup: str = DELETE
    retention_ms: int | None = None
    lag_ms: int | None = None
    tombstones_ms: int | None = None

    @property
    def configs(self) -> dict[str, str]:
        """Topic settings to create it with."""
        numbers = {
            "retention.ms": self.retention_ms,
            "max.compaction.lag.ms": self.lag_ms,
            "delete.retention.ms": self.tombstones_ms,
        }
        given = {name: str(ms) for name, ms in numbers.items() if ms is not None}
        return {"cleanup.policy": self.cleanup} | given


def changelog_topic(settings: Settings) -> str:
    """Name of the user table's changelog topic, as Faust makes it."""
    return f"{settings.service.name}-users-changelog"


def wanted_topics(settings: Settings) -> list[WantedTopic]:
    """Every topic that the settings name, with what it must be like."""
    log_ms = int(settings.events.retention_days * DAY_MS)
    event_ms = int(settings.intake.retention_days * DAY_MS)
    letter_ms = int(settings.deadletter.retention_days * DAY_MS)
    lag_ms = int(settings.erasure.compaction_days * DAY_MS)
    n, sources = settings.events.partitions, settings.intake.partitions
    wanted = [
        WantedTopic(settings.events.topic, "events.topic", n, True, DELETE, log_ms),
        WantedTopic(changelog_topic(settings), "service.name", n, True, COMPACT, lag_ms=lag_ms),
        WantedTopic(
            settings.deadletter.topic,
            "deadletter.topic",
            settings.deadletter.partitions,
            cleanup=f"{COMPACT},{DELETE}",
            retention_ms=letter_ms,
            lag_ms=lag_ms,
            tombstones_ms=letter_ms,  # by them intake knows what was taken back
        ),
        WantedTopic(settings.consent.topic, "consent.topic", sources, cleanup=COMPACT),
        WantedTopic(settings.erasure.topic, "erasure.topic", sources, cleanup=COMPACT),
        WantedTopic(settings.bundles.topic, "bundles.topic", 1, cleanup=COMPACT),
        WantedTopic(settings.bundles.status_topic, "bundles.status_topic", 1, cleanup=COMPACT),
    ]
    for platform in settings.platforms:
        where = f"platforms[{platform.name}]"
        wanted += [
            WantedTopic(t, f"{where}.topics", sources, retention_ms=event_ms)
            for t in platform.event_topics()
        ]
        wanted.append(WantedTopic(platform.items, f"{where}.items", sources, cleanup=COMPACT))
        if platform.links:
            wanted.append(WantedTopic(platform.links, f"{where}.links", sources, cleanup=COMPACT))
    outputs = dict.fromkeys(settings.output_topics().values())
    partitions = settings.output.partitions
    return wanted + [
        WantedTopic(t, "output.topic", partitions, cleanup=COMPACT, lag_ms=lag_ms) for t in outputs
    ]
