"""Ordinary runs: what platforms send, and moves among which faults are drawn at random."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec

from tests.simulation.schedules.late import late_change
from tests.simulation.schedules.schedule import NOW_MS, Config, Input, Move, Schedule
from tests.simulation.toy import DAY_MS, ITEMS, START_MS

KEYS = 5
"""Users and local ids of one run at the most."""

FAULTS = {
    "crash": 3,
    "start": 6,
    "join": 2,
    "complete": 8,
    "pause": 2,
    "wake": 4,
    "compact": 2,
    "ghost": 3,
}


def plain_schedule(seed: int, *, zombies: bool = True) -> Schedule:
    """The schedule of a seed, without consent and erasures."""
    rng = random.Random(seed)
    linked = rng.random() < 0.7
    workers = rng.choice((1, 2, 2, 2, 3))
    batch = rng.choice((1, 1, 2, 3, 4, 8))
    # Two batches are under way at once, each of a record or more than asked for.
    in_flight = 2 * min(KEYS, 2 * batch - 1) + 2
    config = Config(
        partitions=rng.choice((1, 2, 2, 3)),
        workers=workers,
        window=24 if linked else 4,
        capacity=rng.choice((in_flight, in_flight, 16)),
        batch=batch,
        record_batch=rng.choice((1, 2, 100)),
        rocks=rng.random() < 0.6,
        skew_ms=tuple(rng.choice((0, 0, -90_000, 90_000)) for _ in range(workers)),
        linked=linked,
        zombies=zombies and rng.random() < 0.5,
    )
    inputs = _linked_inputs(rng) if linked else _window_inputs(rng)
    schedule = Schedule(seed, config, inputs, _moves(rng, len(inputs), config))
    return _with_bundles(schedule, random.Random(seed ^ 0xB0D1E))


def _with_bundles(schedule: Schedule, rng: random.Random) -> Schedule:
    """Bundles are announced between the moves, in some of the schedules."""
    if rng.random() < 0.6:
        return schedule
    moves = list(schedule.moves)
    for _ in range(rng.choice((0, 1, 1, 2))):
        moves.insert(rng.randrange(len(moves) + 1), Move("announce", 0, rng.randrange(65536)))
    if rng.random() < 0.6:
        moves += late_change(rng, schedule.config.workers)
    config = replace(schedule.config, swaps=True)
    return replace(schedule, config=config, moves=moves)


def _moves(rng: random.Random, inputs: int, config: Config) -> list[Move]:
    kinds = ["work"] * 60 + ["produce"] * (inputs // 2 + 1)
    calm = rng.choice((0, 1, 1, 2))
    kinds += [kind for kind, weight in FAULTS.items() for _ in range(weight * calm)]
    count = rng.randint(40, 170)
    rand, workers = rng.random, config.workers
    return [
        Move(kinds[int(rand() * len(kinds))], int(rand() * workers), int(rand() * 65536))
        for _ in range(count)
    ]


def _event(rng: random.Random, number: int, time_ms: int, **ids: str) -> bytes:
    value: dict[str, object] = {
        **ids,
        "action": rng.choice(("click", "browse", "purchase")),
        "item_id": f"i{rng.randrange(ITEMS + 2)}",
        "time": time_ms,
    }
    if rng.random() < 0.5:
        value["event_id"] = f"e{number}"
    return msgspec.json.encode(value)


def _linked_inputs(rng: random.Random) -> list[Input]:
    """Few users with histories on both platforms; links come, move and go."""
    users, locals_ = rng.randint(1, 3), rng.randint(1, 2)
    out: list[Input] = []
    # Each event has a time of its own: ties are broken by arrival, which no reference knows.
    times = rng.sample(range(1, 10 * DAY_MS // 1000), 20)
    for number in range(rng.randint(4, 14)):
        time_ms = START_MS + 1000 * times[number]
        dice = rng.random()
        if dice < 0.3:
            user = f"u{rng.randrange(users)}"
            value = _event(rng, number, time_ms, user_id=user)
            out.append(Input("video", rng.randrange(2), user.encode(), value))
        elif dice < 0.7:
            local = f"x{rng.randrange(locals_)}"
            value = _event(rng, number, time_ms, local_id=local)
            out.append(Input("shop", rng.randrange(2), local.encode(), value))
        else:
            local = f"x{rng.randrange(locals_)}"
            user = f"u{rng.randrange(users)}"
            gone = rng.random() < 0.3
            link = None if gone else msgspec.json.encode({"local_id": local, "user_id": user})
            out.append(Input("shop.links", 0, local.encode(), link))
        _repeat(rng, out)
    return out


def _window_inputs(rng: random.Random) -> list[Input]:
    """More events than a window holds, late ones, ones from the future, gaps."""
    users = rng.randint(1, 4)
    out: list[Input] = []
    clock = START_MS
    for number in range(rng.randint(6, 22)):
        user = f"u{rng.randrange(users)}"
        shift = rng.choice((60_000, DAY_MS, -3 * DAY_MS, -DAY_MS // 2, 35 * DAY_MS, 5_000))
        time_ms = clock + shift
        if rng.random() < 0.5:
            clock = max(clock, time_ms)
        if rng.random() < 0.08:
            time_ms = NOW_MS + rng.choice((0, 50_000, 100_000))
        value = _event(rng, number, time_ms, user_id=user)
        out.append(Input("video", rng.randrange(2), user.encode(), value))
        _repeat(rng, out)
    return out


def _repeat(rng: random.Random, out: list[Input]) -> None:
    """A producer sends again, at once or later, perhaps to another partition."""
    if rng.random() < 0.12:
        again = rng.choice(out[-4:])
        partition = 0 if again.topic == "shop.links" else rng.randrange(2)
        out.append(replace(again, partition=partition))
