"""Producing events, items and links as platforms do: native JSON on their topics.

librdkafka does the work; its partitioner (CRC32 of the key) differs from Java's, so whatever
is produced here also tests that the worker doesn't depend on the producer's choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from models.contract import ACTIONS
from streams.connection import Connection
from streams.errors import BrokerError
from streams.settings import ANY_ACTION, Settings

FLUSH_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Where a platform's records go.

    Attributes:
        events: (platform, action) to topic; what is missing has the default name.
        items: platform to items topic, likewise.
        links: platform to links topic, likewise.
    """

    events: Mapping[tuple[str, str], str]
    items: Mapping[str, str]
    links: Mapping[str, str]

    @classmethod
    def default(cls) -> TopicNames:
        """``{platform}.{action}``, ``{platform}.items`` and ``{platform}.links``."""
        return cls({}, {}, {})

    @classmethod
    def of(cls, settings: Settings) -> TopicNames:
        """As a worker with these settings reads them."""
        events: dict[tuple[str, str], str] = {}
        for platform in settings.platforms:
            # The topic of one action goes before the topic of any action.
            for action, topics in sorted(platform.topics.items(), key=_any_last):
                covered = ACTIONS if action == ANY_ACTION else (action,)
                for name in covered:
                    events.setdefault((platform.name, name), topics[0])
        links = {p.name: p.links for p in settings.platforms if p.links}
        return cls(events, {p.name: p.items for p in settings.platforms}, links)

    def event(self, platform: str, action: str) -> str:
        """Topic of an event."""
        return self.events.get((platform, action), f"{platform}.{action}")

    def item(self, platform: str) -> str:
        """Topic of a platform's items."""
        return self.items.get(platform, f"{platform}.items")

    def link(self, platform: str) -> str:
        """Topic of a platform's links."""
        return self.links.get(platform, f"{platform}.links")


class NativeProducer:
    """Sends native records; use as a context manager, which flushes at the end.

    Args:
        bootstrap: a broker, ``host:port``.
        topics: names of the topics.
        linger_ms: how long records are collected into a batch.
        connection: how to reach the broker; plaintext by default.

    Raises:
        BrokerError: at :meth:`flush`, :meth:`require` or the end, where the broker can't be
            reached, lacks a topic or refuses a record.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: TopicNames | None = None,
        *,
        linger_ms: int = 5,
        connection: Connection | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.topics = topics or TopicNames.default()
        self.sent = 0
        self._problem: KafkaError | None = None
        self._failed = 0
        self._producer = Producer(
            {
                **(connection or Connection()).librdkafka_options(),
                "bootstrap.servers": bootstrap,
                "client.id": "interest-stream-bench",
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 200_000,
                "delivery.timeout.ms": 30_000,
                "delivery.report.only.error": True,
                "on_delivery": self._undelivered,
                "error_cb": lambda error: None,  # a failure shows at delivery
                "log_level": 2,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.flush()
        else:
            self._producer.purge()

    def require(self, topics: Iterable[str], timeout_s: float = 10.0) -> None:
        """Make sure that the broker answers and has these topics.

        Raises:
            BrokerError: it doesn't answer in time, or a topic is missing.
        """
        for topic in topics:
            try:
                found = self._producer.list_topics(topic, timeout=timeout_s).topics[topic]
            except KafkaException as error:
                raise BrokerError(
                    f"broker {self.bootstrap} doesn't answer ({error.args[0].str()}); is it "
                    "running, and is the address right?"
                ) from error
            if found.error is not None:
                raise BrokerError(
                    f"broker {self.bootstrap} has no topic {topic!r} ({found.error.str()}); start "
                    "the worker first (it creates the topics of its platforms), or create it"
                )

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Produce one record; waits only where 200,000 are queued."""
        while True:
            try:
                self._producer.produce(topic, value, key)
                break
            except BufferError:
                self._producer.poll(0.05)
        self.sent += 1

    def send_event(self, platform: str, action: str, value: Mapping[str, Any]) -> None:
        """One native event, keyed by the id that it has."""
        key = str(value.get("user_id") or value.get("local_id"))
        self.send(self.topics.event(platform, action), key.encode(), to_json(value))

    def send_item(self, platform: str, item_id: str, title: str, category: str) -> None:
        """One item; a title or category that is empty is left out."""
        value = {"item_id": item_id, "title": title, "category": category}
        raw = to_json({name: text for name, text in value.items() if text})
        self.send(self.topics.item(platform), item_id.encode(), raw)

    def send_link(self, platform: str, local_id: str, user: str) -> None:
        """A local id of a platform belongs to a user."""
        raw = to_json({"local_id": local_id, "user_id": user})
        self.send(self.topics.link(platform), local_id.encode(), raw)

    def poll(self) -> None:
        """Let failures of earlier records come to light; doesn't wait."""
        self._producer.poll(0)
        self._raise_problem()

    def flush(self) -> None:
        """Wait until everything sent is acknowledged.

        Raises:
            BrokerError: it isn't within 60 seconds, or a record was refused.
        """
        left = self._producer.flush(FLUSH_S)
        self._raise_problem()
        if left:
            raise BrokerError(
                f"broker {self.bootstrap}: {left} records unacknowledged after {FLUSH_S:g} s; "
                "is it still running?"
            )

    def _undelivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._problem = self._problem or error
            self._failed += 1

    def _raise_problem(self) -> None:
        if self._problem is not None:
            raise BrokerError(
                f"broker {self.bootstrap} didn't take {self._failed} of {self.sent} records: "
                f"{self._problem.str()}; is it running, and do the topics exist?"
            )


def to_json(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _any_last(pair: tuple[str, object]) -> bool:
    return pair[0] == ANY_ACTION
