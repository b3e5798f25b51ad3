"""CPU microseconds per event of the update path, stage by stage, without a broker.

Log batches go through the worker's own update pipeline: decode, windows, ONNX steps, changelog,
vectors, record batches built and checksummed, the local store written. Only the network is left
out. ``python -m tests.bench.update_path --skew 0.8 1.1`` prints a table; ``--repeat 5`` that of the
best of five runs, which a busy machine disturbs least; ``--profile`` adds cProfile's hottest
functions (which slows everything down).
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final, cast

import numpy as np
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.bundles.bundle import Bundle
from streams.effects.effects import Effects
from streams.inference.engine import Engine
from streams.log import codec
from streams.log.keys import stable_hash
from streams.log.records import Event, Via
from streams.metrics.metrics import Metrics
from streams.publish.encode import VectorEncoder
from streams.runtime.pipelines.effects_sender import EffectsSender
from streams.runtime.pipelines.update import UpdatePipeline
from streams.runtime.rebalance.fence import PartitionPublishers
from streams.runtime.sending.publisher import MAX_BATCH_BYTES, KeyedPublisher, Publisher
from streams.runtime.transport.fetched_batch import FetchedBatch
from streams.runtime.worker import GC_THRESHOLD
from streams.settings import Settings, parse_settings
from streams.update import dispatcher
from streams.update.batch import Batch
from streams.update.updater import Updater
from tests.updaters import make_updater

BUNDLE: Final = Path("streams/demo/bundle")
PARTITIONS: Final = 4
CHANGELOG: Final = "changelog"
STAGES: Final[tuple[tuple[type | ModuleType, str], ...]] = (
    (dispatcher, "load_users"),
    (dispatcher, "read"),
    (Batch, "apply_pending"),
    (Engine, "step"),
    (dispatcher, "write_changelog"),
    (dispatcher, "publish"),
    (Engine, "migrate"),
    (EffectsSender, "changelog"),
    (EffectsSender, "vectors"),
    (VectorEncoder, "encode"),
    (UpdatePipeline, "_write_store"),
    (UpdatePipeline, "_count"),
)
"""Methods that are timed; a stage's time contains that of the stages inside it."""


class Store:
    """A local store in a dictionary."""

    def __init__(self) -> None:
        self._values: dict[str, bytes | None] = {}

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values."""
        return [self._values.get(key) for key in keys]

    def put_many(
        self, partition: int, entries: Sequence[tuple[str, bytes | None]], offset: int | None
    ) -> None:
        """Write entries."""
        self._values.update(entries)

    def size_bytes(self) -> int:
        """Unused here."""
        return 0


class Producer:
    """Builds record batches as aiokafka's does, and drops them, acknowledged."""

    def __init__(self) -> None:
        self.batches, self.bytes = 0, 0

    def create_batch(self) -> BatchBuilder:
        """An empty record batch."""
        return BatchBuilder(MAX_BATCH_BYTES, 0)

    async def send_batch(self, builder: Any, topic: str, *, partition: int) -> Any:
        """Build it; acknowledged at once."""
        self.batches += 1
        self.bytes += len(builder._build())
        future = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(offset=0))
        return future


def make_settings(bundle: Path) -> Settings:
    """Three platforms that share ids."""
    platforms = [{"name": name} for name in Bundle.load(bundle).contract.platforms]
    return parse_settings({"service": {"bundle": str(bundle)}, "platforms": platforms})


def make_log(bundle: Bundle, events: int, users: int, skew: float) -> list[list[FetchedBatch]]:
    """The log of ``events`` events whose users are drawn by rank^-skew, one record a batch."""
    rng = np.random.default_rng(0)
    weights = np.arange(1, users + 1) ** -skew
    chosen = rng.choice(users, events, p=weights / weights.sum())
    names = bundle.contract.platforms
    items = {name: bundle.items[name].id_list for name in names}
    columns: list[tuple[list[bytes | None], list[bytes | None]]]
    columns = [([], []) for _ in range(PARTITIONS)]
    for number, user in enumerate(chosen.tolist()):
        name, partition = names[number % len(names)], user % PARTITIONS
        item = items[name][int(rng.integers(len(items[name])))]
        via = Via(f"{name}.click", number % 2, number)
        time_ms = 1_700_000_000_000 + number * 100
        record = Event(via, name, "click", item, time_ms, stable_hash(str(number)), time_ms)
        columns[partition][0].append(f"u/user-{user}".encode())
        columns[partition][1].append(codec.encode(record))
    return [[_batch(p, *columns[p])] for p in range(PARTITIONS)]


def _batch(partition: int, keys: list[Any], values: list[Any]) -> FetchedBatch:
    n = len(keys)
    return FetchedBatch("log", partition, list(range(n)), [0] * n, keys, values, [()] * n)


def turns(whole: list[list[FetchedBatch]], size: int) -> Iterator[list[FetchedBatch]]:
    """What the pipeline computes together: ``size`` records, from every partition alike."""
    of_partition, start = size // PARTITIONS, 0
    while True:
        taken = [_cut(batches[0], start, start + of_partition) for batches in whole]
        if not any(taken := [batch for batch in taken if len(batch)]):
            return
        yield taken
        start += of_partition


def _cut(batch: FetchedBatch, start: int, end: int) -> FetchedBatch:
    place = slice(start, end)
    return FetchedBatch(
        batch.topic, batch.partition, batch.offsets[place], batch.timestamps_ms[place],
        batch.keys[place], batch.values[place], batch.headers[place],
    )  # fmt: skip


def make_pipeline(settings: Settings, bundle: Bundle) -> tuple[UpdatePipeline, Producer]:
    """The worker's update pipeline over a producer that drops everything."""
    engine = Engine(Path(bundle.step_path), Path(bundle.migrate_path), "cpu", halves=bundle.halves)
    publisher, producer = Publisher({}), Producer()
    publisher._producer = cast(Any, producer)
    owned = PartitionPublishers(publisher, {}, "", CHANGELOG, list, fencing=False)
    updater: Updater = make_updater(settings, bundle, engine)
    names = bundle.contract.platforms
    encoder = VectorEncoder(bundle.bundle_id, names, settings.output.encoding)
    metrics, store = Metrics(), Store()
    metrics.declare(names, bundle.contract.actions, names, [])
    topics = [*settings.output_topics().values(), settings.events.topic, settings.deadletter.topic]
    keyed = KeyedPublisher(publisher, dict.fromkeys(topics, PARTITIONS))
    sender = EffectsSender(settings, encoder, keyed, owned, CHANGELOG, _now_ms)
    pipeline = UpdatePipeline(
        updater, cast(Any, lambda: store), sender, cast(Any, None), metrics, _now_ms,
        max_records=1, on_failure=_fail,
    )  # fmt: skip
    return pipeline, producer


def _now_ms() -> int:
    return 1_700_000_000_000


async def _fail(error: BaseException) -> None:
    raise error


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Time the stages; a coroutine's time is what its own thread worked until it ended."""
    before = [(owner, name, getattr(owner, name)) for owner, name in STAGES]
    for owner, name, function in before:
        setattr(owner, name, _timer(function, f"{owner.__name__}.{name.lstrip('_')}", spent))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _timer(function: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    if asyncio.iscoroutinefunction(function):

        async def of_coroutine(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            result = await function(*args, **kwargs)
            spent[name] += time.process_time() - began
            return result

        return of_coroutine

    def of_function(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time()
        result = function(*args, **kwargs)
        spent[name] += time.process_time() - began
        return result

    return of_function


async def run(args: argparse.Namespace, skew: float) -> tuple[float, str]:
    """One skew: feed the log; CPU seconds, and the table."""
    settings, bundle = make_settings(args.bundle), Bundle.load(args.bundle)
    whole = make_log(bundle, args.events, args.users, skew)
    pipeline, producer = make_pipeline(settings, bundle)
    spent: dict[str, float] = defaultdict(float)
    calls, users, profile = 0, 0, cProfile.Profile()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)  # as the worker does
    with timed(spent):
        began = time.process_time()
        if args.profile:
            profile.enable()
        for batches in turns(whole, args.batch):
            result = pipeline.compute(batches)
            await pipeline.perform(result)
            effects: Effects = result.effects
            calls, users = calls + len(effects.steps.sizes), users + effects.counts.users
        profile.disable()
        total = time.process_time() - began
    n = args.events
    out = [f"rank^-{skew}: {total / n * 1e6:.2f} µs/event, {n / calls:.1f} events per ONNX call, "]
    out += [f"{users / n:.2f} users and {producer.bytes / n:.0f} bytes out per event\n"]
    out += [f"  {name:32}{seconds / n * 1e6:8.2f}\n" for name, seconds in spent.items()]
    if args.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
    return total, "".join(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--batch", type=int, default=8_000, help="records computed together")
    parser.add_argument("--skew", type=float, nargs="+", default=[0.8])
    parser.add_argument("--repeat", type=int, default=1, help="runs, of which the best counts")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    for skew in args.skew:
        _, table = min(asyncio.run(run(args, skew)) for _ in range(args.repeat))
        sys.stdout.write(table)


if __name__ == "__main__":
    main()
