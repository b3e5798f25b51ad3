"""Quix Streams: a stateful function over a StreamingDataFrame, RocksDB and changelog its own."""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State

from tests.bench.peers.job import OneByOne, Setup, decode_event, read_setup


def run(setup: Setup) -> None:
    """Until a signal."""
    app = Application(
        broker_address=setup.bootstrap,
        consumer_group=setup.group,
        auto_offset_reset="earliest",
        state_dir=setup.folder + "/state",
        loglevel="WARNING",
        consumer_extra_config={
            "fetch.wait.max.ms": 20,
            "fetch.queue.backoff.ms": 20,
            "session.timeout.ms": 30_000,
        },
        producer_extra_config={"linger.ms": 2, "batch.size": 1 << 20},
    )
    job = OneByOne(setup.model)
    events = app.topic(setup.events, key_deserializer="bytes", value_deserializer="bytes")
    vectors = app.topic(setup.vectors, key_serializer="bytes", value_serializer="bytes")

    def step(value: bytes, key: Any, timestamp: int, headers: Any, state: State) -> Any:
        row = job.apply(state.get_bytes("row"), decode_event(value))
        state.set_bytes("row", row)
        return job.vector(key[2:].decode(), row)

    frame = app.dataframe(events)
    frame = frame.apply(step, stateful=True, metadata=True)
    frame.to_topic(vectors, key=value_key)
    app.run()


def value_key(value: bytes) -> bytes:
    """The id in a vector message: a MessagePack array whose first field is a short text."""
    size = value[1] & 0x1F
    return value[2 : 2 + size]


if __name__ == "__main__":
    run(read_setup())
