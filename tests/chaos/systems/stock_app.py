"""Stock Faust, as its documentation writes an agent with a table: which events each user has.

    python -m tests.chaos.systems.stock_app

Settings are JSON in the file that ``INTEREST_STREAM_CONFIG`` names. Nothing of the service is in
here: no transport, no table and no rule of ours.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import faust
from faust.types import StreamT


class Seen(faust.Record):
    """An event: ``number`` counts all that were sent."""

    user: str
    number: int


settings = json.loads(Path(os.environ["INTEREST_STREAM_CONFIG"]).read_text())

app = faust.App(
    settings["name"],
    broker=[f"kafka://{address}" for address in settings["bootstrap"]],
    store="rocksdb://",
    datadir=settings["state"],
    topic_partitions=settings["partitions"],
    topic_replication_factor=settings["replicas"],
    broker_session_timeout=settings["session_s"],
    broker_heartbeat_interval=1.0,
    broker_rebalance_timeout=10.0,
    broker_request_timeout=40.0,
    web_port=settings["port"],
)
events = app.topic(settings["events"], key_type=str, value_type=Seen)
answers = app.topic(settings["answers"], key_type=str, value_serializer="json")
seen = app.Table("seen", default=list, partitions=settings["partitions"])


@app.agent(events)
async def count(stream: StreamT[Seen]) -> None:
    """Record an event under its user, and say how many the user has."""
    async for event in stream:
        seen[event.user] = [*seen[event.user], event.number]
        numbers = seen[event.user]
        await answers.send(key=event.user, value={"number": event.number, "events": len(numbers)})


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "info", "--web-port", str(settings["port"])]
    app.main()
