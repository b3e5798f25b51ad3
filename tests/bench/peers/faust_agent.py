"""Stock Faust: an agent that takes one event at a time, a table on RocksDB."""

from __future__ import annotations

import sys
from typing import Any

import faust

from tests.bench.peers.job import OneByOne, Setup, decode_event, read_setup


def make_app(setup: Setup) -> tuple[Any, Any, Any, Any]:
    """App, events, vectors, table."""
    app = faust.App(
        setup.group,
        broker=f"kafka://{setup.bootstrap}",
        store="rocksdb://",
        datadir=setup.folder + "/state",
        topic_partitions=setup.partitions,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        autodiscover=False,
    )
    raw: Any = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw"}
    events = app.topic(setup.events, value_serializer="raw", **raw)
    vectors = app.topic(setup.vectors, value_serializer="raw", **raw)
    table = app.Table("users", key_type=bytes, value_type=bytes, partitions=setup.partitions)
    return app, events, vectors, table


def main(setup: Setup) -> None:
    """Until a signal."""
    app, events, vectors, table = make_app(setup)
    job = OneByOne(setup.model)

    @app.agent(events)
    async def step(stream: Any) -> None:
        async for event in stream.events():
            key = event.key
            row = job.apply(table.get(key), decode_event(event.value))
            table[key] = row
            await vectors.send(key=key[2:], value=job.vector(key[2:].decode(), row))

    start(app)


def start(app: Any) -> None:
    """Faust's own command line."""
    sys.argv = [sys.argv[0], "worker", "--loglevel", "info", "--without-web"]
    app.main()


if __name__ == "__main__":
    main(read_setup())
