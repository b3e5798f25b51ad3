"""Faults when all else is done: no later record puts right what goes wrong then."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec

from tests.simulation.schedules.schedule import WISHES, Config, Input, Move, Schedule, sources_of
from tests.simulation.toy import DAY_MS, START_MS


def with_late_faults(schedule: Schedule, rng: random.Random) -> Schedule:
    """Some of the schedules end with a link that crashes, or with records read once more."""
    config, moves = schedule.config, list(schedule.moves)
    if config.linked and rng.random() < 0.2:
        moves += _late_link(rng, config.workers)
    if config.wishes and config.swaps and rng.random() < 0.4:
        moves += _late_repeat(rng, config)
    return replace(schedule, moves=moves)


def late_change(rng: random.Random, workers: int) -> list[Move]:
    """Another bundle: work, a crash, and perhaps the bundle before."""
    moves = [_move(rng, workers, "quiet")] if rng.random() < 0.8 else []
    for _ in range(rng.choice((1, 1, 2))):
        victim = rng.randrange(workers)
        moves.append(_move(rng, workers, "announce"))
        moves += [_of(rng, victim, "work") for _ in range(rng.randint(2, 24))]
        moves.append(_of(rng, victim, "crash"))
        if rng.random() < 0.5:
            moves.append(_move(rng, workers, "back"))
        moves += [_of(rng, victim, "start"), _move(rng, workers, "complete")]
    return moves


def late_erasure(rng: random.Random, workers: int) -> list[Move]:
    """An erasure, and a crash amid it."""
    moves = [_move(rng, workers, "quiet"), _move(rng, workers, "order")]
    moves += [_move(rng, workers, "work") for _ in range(rng.randint(4, 60))]
    return [*moves, *(_of(rng, worker, "crash") for worker in range(workers))]


def _late_link(rng: random.Random, workers: int) -> list[Move]:
    """A link after an event; whoever sends something on because of it crashes right then."""
    moves = [_move(rng, workers, "quiet"), _move(rng, workers, "relink")]
    return [*moves, *(_move(rng, workers, "cut") for _ in range(rng.choice((1, 2))))]


def _late_repeat(rng: random.Random, config: Config) -> list[Move]:
    """A topic is read again under another bundle, and everybody crashes amid that."""
    workers, sources = config.workers, sources_of(config)
    moves = [_move(rng, workers, "quiet"), _move(rng, workers, "announce")]
    # Nearly always consent or erasures: who has events comes over by them anyhow.
    consent, erasure = map(sources.index, WISHES)
    source = rng.choice((consent, consent, erasure, rng.randrange(len(sources))))
    moves.append(Move("rewind", 0, len(sources) * rng.randrange(9000) + source))
    for worker in range(workers):
        moves += [_of(rng, worker, kind) for kind in ("join", "work", "work")]
    moves.append(_move(rng, workers, "complete"))
    moves += [_move(rng, workers, "work") for _ in range(rng.randint(10, 60))]
    return [*moves, *(_of(rng, worker, "crash") for worker in range(workers))]


def relink(inputs: list[Input], seed: int) -> list[Input]:
    """An event under a local id that the platforms know, and whose the id is from now on."""
    rng = random.Random(seed)
    known = sorted({one.key for one in inputs if one.topic.startswith("shop")}) or [b"x0"]
    users = sorted({one.key for one in inputs if one.topic == "video"}) or [b"u0"]
    local, user = rng.choice(known).decode(), rng.choice(users).decode()
    event = {
        "local_id": local,
        "action": "click",
        "item_id": "i1",
        "event_id": f"last{seed}",
        # No other event has a time with half a second.
        "time": START_MS + 1000 * rng.randrange(10 * DAY_MS // 1000) + 500,
    }
    link = None if rng.random() < 0.4 else {"local_id": local, "user_id": user}
    value = None if link is None else msgspec.json.encode(link)
    return [
        Input("shop", rng.randrange(2), local.encode(), msgspec.json.encode(event)),
        Input("shop.links", 0, local.encode(), value),
    ]


def _move(rng: random.Random, workers: int, kind: str) -> Move:
    return _of(rng, rng.randrange(workers), kind)


def _of(rng: random.Random, worker: int, kind: str) -> Move:
    return Move(kind, worker, rng.randrange(65536))
