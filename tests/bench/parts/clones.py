"""Users with a history, many at once: rows of real histories, copied under other keys.

A worker applies real events to a few users; what it then has in its changelog is written into
the changelog of a new place, under as many keys as wanted. A worker that starts there
recovers them as its own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from streams.windows.layout import Layout
from tests.bench.race.contestant import Place
from tests.bench.race.contestants import OURS
from tests.bench.race.ours import ours_row
from tests.bench.race.race import Job
from tests.bench.race.setup import Bench
from tests.bench.race.traffic import START_MS, Traffic, make_producer, produce

SAMPLES: Final = 8
"""Users whose real histories are copied."""


def real_rows(bench: Bench, histories: Sequence[int]) -> dict[int, list[bytes]]:
    """Stored values of users after so many events each, from a run of the worker."""
    sizes = np.repeat(np.array(histories, np.int64), SAMPLES)
    user = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(3)
    rng.shuffle(user)
    count = len(user)
    traffic = Traffic(
        users=len(sizes),
        user=user,
        item=rng.integers(0, len(bench.model.items), count),
        action=rng.integers(0, 3, count),
        time_ms=START_MS + 1000 * np.arange(count, dtype=np.int64),
        partitions=bench.options.partitions,
    )
    place, topics = bench.place("ours-rows"), bench.race.topics
    bench.race.run(OURS, place, Job(traffic, warm=len(sizes)), keep_topics=True)
    changelog = OURS.changelog(place)
    assert changelog is not None
    records = topics.read(changelog, None, topics.ends(changelog, place.partitions))
    topics.delete([name for name in topics.names() if name.startswith(f"{place.name}.")])
    rows: dict[int, list[bytes]] = {history: [] for history in histories}
    for value in {record.key: record.value for record in records}.values():
        found = ours_row(value) if value else None
        if found is not None and value is not None:
            rows[found[0]].append(_never_applied(value))
    assert all(len(found) == SAMPLES for found in rows.values()), "a user's row is missing"
    return rows


def _never_applied(value: bytes) -> bytes:
    """The row without the log offset up to which it is applied: its next log is another."""
    fields = Layout(value[1], 8 * value[3], value[2]).dtype.fields
    assert fields is not None
    at = int(fields["applied"][1])
    return value[:at] + struct.pack("<q", -1) + value[at + 8 :]


def seed(place: Place, topic: str, rows: Sequence[bytes], traffic: Traffic) -> None:
    """Write a row for every user of ``traffic`` into a changelog."""
    producer = make_producer(place.bootstrap)
    chunk = 50_000
    for begin in range(0, traffic.users, chunk):
        end = min(begin + chunk, traffic.users)
        users = np.arange(begin, end)
        part = Traffic(traffic.users, users, users, users, users, traffic.partitions)
        part.__dict__["keys"] = traffic.keys
        part.__dict__["partition_of_user"] = traffic.partition_of_user
        produce(producer, topic, part, [rows[user % len(rows)] for user in users.tolist()], 0)
