"""What live quality, a shadow and a change of bundle cost: ``python -m tests.bench.live_quality``.

The demo's bundle and simulated log records, one thread, no broker: CPU seconds of looking on (on
the update path), of judging (in a thread of its own), of a shadow's states, and of bringing users
over to another bundle, each for one event, case or user.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from streams.bundles.bundle import Bundle
from streams.effects.effects import Effects, LogBatch
from streams.quality.cases import Cases
from streams.quality.sampler import Sampler
from streams.runtime.bundles.loading import LoadedBundle, updater_of
from streams.runtime.services.live_quality import make_sampler
from streams.settings import Settings
from tests.bench.update_path import BUNDLE, make_log, make_settings, turns

MICRO: Final = 1e6


class Store:
    """A state table in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[int, dict[str, bytes]] = {}

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values."""
        of_partition = self.values.get(partition, {})
        return [of_partition.get(key) for key in keys]

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values behind a key, in order."""
        of_partition = self.values.get(partition, {})
        return iter([(k, of_partition[k]) for k in sorted(of_partition) if k > after])

    def write(self, effects: Effects) -> None:
        """Take what a batch wants stored."""
        for partition, entries in effects.changelog.items():
            of_partition = self.values.setdefault(partition, {})
            of_partition.update((key, value) for key, value in entries if value is not None)


def measure(settings: Settings, bundle: Bundle, args: argparse.Namespace) -> str:
    """The figures, as text."""
    serving = LoadedBundle.of(settings, bundle)
    updater = updater_of(settings, serving)
    sampler = make_sampler(settings, serving, None)
    assert sampler is not None
    updater.observer = sampler
    store, cases, spent = Store(), list[Cases](), 0.0
    see = Sampler.see

    def timed(self: Sampler, *given: object) -> None:
        nonlocal spent
        began = time.thread_time()
        see(self, *given)  # type: ignore[arg-type]
        spent += time.thread_time() - began

    Sampler.see = timed  # type: ignore[method-assign,assignment]
    began = time.thread_time()
    for batches in turns(make_log(bundle, args.events, args.users, 0.8), args.batch):
        joined = [LogBatch(b.partition, b.offsets, b.keys, b.values) for b in batches]
        store.write(updater.process(joined, store))
        updater.slab.flushed(updater.slab.batch)
        cases += sampler.take()
    whole, n = time.thread_time() - began, args.events
    count = sum(map(len, cases))
    lines = [
        f"update {whole / n * MICRO:.1f} µs per event, of which looking on {spent / n * MICRO:.2f}",
        f"{count} cases in {n} events, batches of {args.batch}",
    ]
    judging = _judging(serving, cases)
    lines.append(
        f"judging {judging / count * MICRO:.0f} µs per case, {judging / n * MICRO:.2f} per event"
    )
    shadow = _shadow(settings, serving, cases)
    lines.append(f"a shadow's state and rank {shadow / count * MICRO:.0f} µs per case")
    users, seconds = _renewing(settings, serving, store)
    lines.append(f"another bundle {seconds / users * MICRO:.0f} µs per user ({users} users)")
    return "\n".join(lines) + "\n"


def _judging(serving: LoadedBundle, cases: list[Cases]) -> float:
    assert serving.judge is not None
    began = time.process_time()
    for some in cases:
        serving.judge.ranks(some, some.rows["current"])
    return time.process_time() - began


def _shadow(settings: Settings, serving: LoadedBundle, cases: list[Cases]) -> float:
    judge = serving.judge
    assert judge is not None
    layout = serving.for_update(settings).slab.layout
    began = time.process_time()
    for some in cases:
        judge.ranks(some, judge.states_from_windows(some, layout))
    return time.process_time() - began


def _renewing(settings: Settings, serving: LoadedBundle, store: Store) -> tuple[int, float]:
    """All users over to another bundle with the same graphs."""
    updater = updater_of(settings, serving)
    updater.slab.bundle += 1
    partitions = sorted(store.values)
    users, began = 0, time.process_time()
    limit = max(1, int(settings.bundles.rebuild_users_s / 10))
    while (effects := updater.renew(partitions, store, limit)) is not None:
        users += effects.counts.renewed
        updater.slab.flushed(updater.slab.batch)
    return users, time.process_time() - began


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--batch", type=int, default=1_000, help="records computed together")
    args = parser.parse_args()
    settings = make_settings(args.bundle)
    sys.stdout.write(measure(settings, Bundle.load(args.bundle), args))


if __name__ == "__main__":
    main()
