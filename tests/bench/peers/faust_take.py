"""Stock Faust with ``take``: what has come within 20 ms at once, in waves; a table on RocksDB."""

from __future__ import annotations

import weakref
from typing import Any, Final

from faust.streams import _current_event

from tests.bench.peers.faust_agent import make_app, start
from tests.bench.peers.job import Model, Setup, Users, read_setup

BATCH: Final = 1000
WITHIN_S: Final = 0.02


def main(setup: Setup) -> None:
    """Until a signal."""
    app, events, vectors, table = make_app(setup)
    model = Model(setup.model)

    @app.agent(events)
    async def step(stream: Any) -> None:
        async for batch in stream.take_events(BATCH, within=WITHIN_S):
            users = Users(model)
            keys = [event.key for event in batch]
            event_of = dict(zip(keys, batch, strict=True))
            for key, event in event_of.items():
                # Within a take, Faust doesn't know which partition's table is meant.
                _current_event.set(weakref.ref(event))
                row = table.get(key)
                if row is not None:
                    users.put(key, row)
            changed = users.apply(users.columns(keys, [event.value for event in batch]))
            names = [users.keys[slot] for slot in changed.tolist()]
            made = zip(names, users.stored(changed), users.vectors(changed), strict=True)
            for key, row, vector in made:
                _current_event.set(weakref.ref(event_of[key]))
                table[key] = row
                await vectors.send(key=key[2:], value=vector)

    start(app)


if __name__ == "__main__":
    main(read_setup())
