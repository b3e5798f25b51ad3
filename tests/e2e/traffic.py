"""Events as three platforms send them, with the repeats that producers make."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Producer

from tests.workers import PLATFORMS

START_MS = 1_760_000_000_000
Native = tuple[str, str, dict[str, Any]]


def make_events(prefix: str, users: int, count: int, seed: int = 1) -> Iterator[tuple[Native, str]]:
    """(topic, key, native event) and the canonical user behind it; times grow by 1 s."""
    rng = random.Random(seed)
    for number in range(count):
        user = f"user-{rng.randrange(users)}"
        platform = rng.choice(list(PLATFORMS))
        action = rng.choice(("browse", "click", "purchase"))
        event: dict[str, Any] = {
            "event_id": f"event-{number}",
            "item_id": f"{platform}-{rng.randrange(60)}",
            "time": START_MS + 1000 * number,
        }
        local = f"s{user}"
        if PLATFORMS[platform] == "linked":
            event["local_id"] = local
            yield (f"{prefix}.{platform}.{action}", local, event), user
        else:
            event["user_id"] = user
            yield (f"{prefix}.{platform}.{action}", user, event), user


class Sender:
    """Produces as platforms do, with repeats; counts what must be applied."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            # A user's events stay in their order, also while a new topic has no leader.
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5}
        )
        self._rng = random.Random(5)

    def send(self, records: list[Native]) -> None:
        for topic, key, event in records:
            for _ in range(2 if self._rng.random() < 0.02 else 1):  # a retry of the producer's
                self._producer.produce(topic, key=key, value=json.dumps(event))
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def link(self, topic: str, local: str, user: str) -> None:
        value = f'{{"local_id": "{local}", "user_id": "{user}"}}'
        self._producer.produce(topic, key=local, value=value)
