"""What is sent, as a function of the seed alone, and the thread that sends it at a steady rate.

Half of the events are of people who stay for the whole run, so that their histories outgrow
their windows. The others are of people who come and go, of whom every other one is linked after
some events under a local id: merges and forwards happen all the time.

Nobody gets so many events that those of a delayed partition could fall out of the window (32
newer ones) while a fault lasts: what is too late by the rules isn't lost, and would look so.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from confluent_kafka import Producer

from tests.e2e.traffic import START_MS, Native
from tests.workers import ACTIONS, PLATFORMS

STEP_MS: Final = 1000
STAY: Final = 1000
"""People who stay."""
VISIT: Final = 500
"""People who are here at a time of those who come and go."""
PACE: Final = 40
"""Events until the next of them comes, and the first goes."""
LINKED_AT: Final = 6
"""Events after which a visitor's local id is linked."""
REPEATS: Final = 0.02
"""Records that their producer sends twice."""
TICK_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Step:
    """One record that counts: an event, or a link.

    Attributes:
        number: of the event; a link has that of the event before it.
        user: the canonical user behind it.
        is_link: a link, not an event.
    """

    topic: str
    key: str
    value: dict[str, Any]
    user: str
    number: int
    is_link: bool = False

    @property
    def native(self) -> Native:
        """(topic, key, event)."""
        return self.topic, self.key, self.value


def steps(prefix: str, seed: int) -> Iterator[Step]:
    """Events without end, one second of event time apart, with the links between them."""
    rng = random.Random(seed)
    seen: Counter[int] = Counter()
    for number in itertools.count():
        visitor = None if rng.random() < 0.5 else number // PACE + rng.randrange(VISIT)
        user = f"stay-{rng.randrange(STAY)}" if visitor is None else f"visit-{visitor}"
        yield _event(prefix, rng, number, user)
        if visitor is not None:
            seen[visitor] += 1
            if visitor % 2 and seen[visitor] == LINKED_AT:
                yield _link(prefix, number, user)


def local_id(user: str) -> str:
    """What the linked platform calls somebody."""
    return f"s{user}"


def _event(prefix: str, rng: random.Random, number: int, user: str) -> Step:
    platform = rng.choice(list(PLATFORMS))
    linked = PLATFORMS[platform] == "linked"
    key = local_id(user) if linked else user
    value = {
        "event_id": f"event-{number}",
        "item_id": f"{platform}-{rng.randrange(60)}",
        "time": START_MS + STEP_MS * number,
        "local_id" if linked else "user_id": key,
    }
    return Step(f"{prefix}.{platform}.{rng.choice(ACTIONS)}", key, value, user, number)


def _link(prefix: str, number: int, user: str) -> Step:
    local = local_id(user)
    value = {"local_id": local, "user_id": user}
    return Step(f"{prefix}.shop.links", local, value, user, number, is_link=True)


def number_at(time_ms: int) -> int:
    """The event of an event time."""
    return (time_ms - START_MS) // STEP_MS


def owned(sent: Iterable[Step]) -> Iterator[Step]:
    """The events, each under the id that it belongs to once all links are known."""
    everything = list(sent)
    linked = {step.user for step in everything if step.is_link}
    for step in everything:
        if step.is_link:
            continue
        if "local_id" in step.value and step.user in linked:
            rest = {k: v for k, v in step.value.items() if k != "local_id"}
            step = replace(step, value={**rest, "user_id": step.user})
        yield step


def _quiet(lines: deque[str]) -> logging.Logger:
    """A logger that keeps its last lines to itself."""
    logger = logging.Logger("sender")
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    return logger


class Sender:
    """Produces steps at a rate until it is stopped; repeats some as producers' retries do.

    Args:
        bootstrap: the brokers.
        source: the steps.
        rate: events a second.
        on_sent: told of each event when it is handed to the producer.
        repeats: share of the records that are sent twice.
        partition: partition of a step, None where the producer's partitioner chooses.
    """

    def __init__(
        self,
        bootstrap: str,
        source: Iterator[Step],
        rate: float,
        on_sent: Callable[[Step], None],
        *,
        repeats: float = REPEATS,
        partition: Callable[[Step], int] | None = None,
    ) -> None:
        self._said: deque[str] = deque(maxlen=10)  # what the client had to say lately
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                # An outage delays a record and never loses it: what was sent must be counted.
                "message.timeout.ms": 0,
                "linger.ms": 5,
                "log_level": 4,
                "logger": _quiet(self._said),
                "error_cb": lambda error: self._said.append(str(error)),
            }
        )
        self._source, self._rate, self._on_sent = source, rate, on_sent
        self._repeats, self._partition = repeats, partition
        self._rng = random.Random(5)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failed: list[str] = []
        self.records = 0
        """Steps that were sent."""
        self.events = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, and return once the brokers have everything."""
        self._stop.set()
        self._thread.join(60)
        left = self._producer.flush(180)
        said = "\n  ".join(self._said)
        assert left == 0, f"the brokers didn't take {left} records in 180 s; the client:\n  {said}"
        assert not self._failed, f"records weren't taken by the brokers: {self._failed[:3]}"

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(TICK_S):
            due = int((time.monotonic() - began) * self._rate)
            while self.events < due:
                self._send(next(self._source))
            self._producer.poll(0)

    def _send(self, step: Step) -> None:
        where: dict[str, Any] = (
            {} if self._partition is None else {"partition": self._partition(step)}
        )
        if not step.is_link:
            self._on_sent(step)
            self.events += 1
        for _ in range(2 if self._rng.random() < self._repeats else 1):
            self._producer.produce(
                step.topic,
                key=step.key,
                value=json.dumps(step.value),
                on_delivery=self._delivered,
                **where,
            )
        self.records += 1

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))
