"""What a worker process could do next: the moves that a schedule chooses from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulation.machines.worker import Process

Option = tuple[Callable[[Any, int], None], Any]
"""What a process could do, and with what."""


def options_of(process: Process) -> list[Option]:
    """Everything that this process could do now."""
    if process.paused:
        return []
    found: list[Option] = []
    deliver = process.outbox.deliver
    for key, lane in process.outbox.lanes.items():
        if lane:
            found += ((deliver, key), (deliver, key))
    _pipe_options(process, 0, found)
    _pipe_options(process, 1, found)
    if any(process.behind):
        _behind_options(process, found)
    if process.revoking:
        home = process.flight == [None, None] and not any(process.behind)
        if home or not process.rules.drain_at_revoke:
            found.append((process.let_go, None))
    elif process.to_recover:
        found.append((process.recover, process.to_recover[0]))
    else:
        _fetches(process, found)
        if process.finished:
            found.append((process.commit, None))
        if process.config.swaps:
            _bundle_options(process, found)
    return found


def _fetches(process: Process, found: list[Option]) -> None:
    position = process.position
    for tp, source in process.reading:
        if position[tp] < source.end:
            found.append((process.fetch, tp))


def _bundle_options(process: Process, found: list[Option]) -> None:
    idle = process.flight[1] is None and process.computed[1] is None
    if process.bundle != process.broker.bundles[-1]:
        if idle or not process.rules.swap_between_batches:
            found.append((process.swap, None))
    elif idle and any(
        not process.updater.renewal(p, process.disk).complete for p in process.mine()
    ):
        found.append((process.renew, None))


def _pipe_options(process: Process, pipe: int, found: list[Option]) -> None:
    flight, computed = process.flight[pipe], process.computed[pipe]
    if flight is not None:
        if flight.ticket.waiting == 0:
            found += ((process.advance, pipe), (process.advance, pipe))
    elif computed is not None:
        blind = computed.first and process.known_letters is None
        found.append((process.look_up, computed) if blind else (process.take_off, pipe))
    if computed is None and process.queues[pipe] and not process.to_recover:
        found += ((process.compute, pipe), (process.compute, pipe))


def _behind_options(process: Process, found: list[Option]) -> None:
    for pipe, behind in enumerate(process.behind):
        found += [
            (process.look_up if process.known_letters is None else process.write_again, flight)
            for flight in behind
            if flight.again
        ]
        if behind and behind[0].ticket.waiting == 0 and not behind[0].again:
            found.append((process.acknowledge, pipe))
