"""Stock Faust under the same faults: an agent with a table, for comparison."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from deploy.kafka.process import free_port
from deploy.kafka.properties import HOST
from tests.chaos.systems.systems import Answers
from tests.chaos.systems.topics import create_topics
from tests.chaos.traffic import Step, steps
from tests.chaos.verdict.judge import Verdict
from tests.e2e.reference import read_topic
from tests.workers import WorkerProcess

COMMAND: Final = (sys.executable, "-m", "tests.chaos.systems.stock_app")
PARTITIONS: Final = 8


class StockFaust:
    """An app with one agent and one table on RocksDB; see :mod:`tests.chaos.systems.stock_app`.

    Nothing is sent twice here: stock Faust doesn't claim to recognise repeats.

    Args:
        prefix: of all topics, and the app's name.
        seed: of the traffic.
        replicas: of each topic.
        session_s: session time-out.
    """

    name = "stock Faust"
    repeats = 0.0

    def __init__(self, prefix: str, seed: int, replicas: int, session_s: float) -> None:
        self._prefix, self._seed = prefix, seed
        self._replicas, self._session_s = replicas, session_s
        self.bulk: list[tuple[str, int, int]] = []

    @property
    def _events(self) -> str:
        return f"{self._prefix}.events"

    @property
    def _answers(self) -> str:
        return f"{self._prefix}.answers"

    @property
    def _changelog(self) -> str:
        return f"{self._prefix}-seen-changelog"

    def make(self, name: str, folder: Path, bootstrap: Sequence[str]) -> WorkerProcess:
        folder.mkdir(parents=True, exist_ok=True)
        path, port = folder / "worker.json", free_port()
        settings = {
            "name": self._prefix,
            "bootstrap": list(bootstrap),
            "state": str(folder / "state"),
            "partitions": PARTITIONS,
            "replicas": self._replicas,
            "session_s": self._session_s,
            "port": port,
            "events": self._events,
            "answers": self._answers,
        }
        path.write_text(json.dumps(settings))
        return WorkerProcess(path, port, COMMAND)

    def prepare(self, bootstrap: str, first: WorkerProcess) -> None:
        compact = {"cleanup.policy": "compact"}
        create_topics(
            bootstrap,
            [
                NewTopic(self._events, PARTITIONS, self._replicas),
                NewTopic(self._answers, PARTITIONS, self._replicas, config=compact),
                NewTopic(self._changelog, PARTITIONS, self._replicas, config=compact),
            ],
        )

    def ready(self, worker: WorkerProcess) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, worker.port), 1):
            return True  # its web server is the last thing that starts
        return False

    def steps(self) -> Iterator[Step]:
        for step in steps(self._prefix, self._seed):
            if not step.is_link:
                value = {"user": step.user, "number": step.number}
                yield Step(self._events, step.user, value, step.user, step.number)

    def partition(self, step: Step) -> int | None:
        return int(re.findall(r"\d+", step.user)[-1]) % PARTITIONS

    def answers_of(self, step: Step) -> tuple[Hashable, ...]:
        return (self.partition(step),)

    def answer_topics(self) -> list[str]:
        return [self._answers]

    def read(self, message: Any) -> Answers:
        user, value = message.key().decode(), json.loads(message.value())
        yield int(re.findall(r"\d+", user)[-1]) % PARTITIONS, value["number"]

    def group(self) -> tuple[str, list[str]]:
        return self._prefix, [self._events]

    def poison(self, bootstrap: str, rng: random.Random, count: int) -> None:
        raise NotImplementedError("stock Faust has no dead letters to judge")

    def swap(self, bootstrap: str) -> str:
        raise NotImplementedError("stock Faust has no model")

    def settled(self, bootstrap: str) -> bool:
        return True

    def judge(self, bootstrap: str, sent: list[Step]) -> Verdict:
        verdict = Verdict()
        expected: dict[str, list[int]] = defaultdict(list)
        for step in sent:
            expected[step.user].append(step.number)
        table = read_topic(bootstrap, self._changelog)
        found = {json.loads(k): json.loads(r.value) for k, r in table.items()}
        verdict.compare_numbers(found, expected)
        verdict.wrong_states = sum(
            sorted(found.get(user, ())) != numbers for user, numbers in expected.items()
        )
        last = {
            k.decode(): json.loads(r.value) for k, r in read_topic(bootstrap, self._answers).items()
        }
        verdict.wrong_final_vectors = sum(
            last.get(user, {}).get("events") != len(numbers) for user, numbers in expected.items()
        )
        return verdict

    def trace(self, bootstrap: str, sent: list[Step], users: set[str]) -> list[str]:
        return []
