"""Consent and erasures in a schedule: further records among those that platforms send."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec

from tests.simulation.schedules.late import late_erasure
from tests.simulation.schedules.schedule import Input, Move, Schedule
from tests.simulation.toy import DAY_MS, PLATFORMS, START_MS


def with_wishes(schedule: Schedule, rng: random.Random) -> Schedule:
    """In some of the schedules users say what they allow, and are erased; records are bad."""
    config = schedule.config
    if rng.random() < 0.5 or (config.swaps and not config.linked):
        return schedule
    inputs = [_elsewhere(rng, one) for one in schedule.inputs] if not config.linked else []
    inputs = inputs or list(schedule.inputs)
    users = sorted({one.key.decode() for one in inputs if one.topic == "video"}) or ["u0"]
    locals_ = sorted({one.key.decode() for one in inputs if one.topic.startswith("shop")})
    locals_ = locals_ if config.linked else []
    for _ in range(rng.choice((1, 2, 3, 4))):
        new = _wish(rng, users, locals_)
        place = rng.randrange(len(inputs) + 1)
        inputs.insert(place, new)
        if new.topic == "erasure":
            for before in _just_before(rng, new.key.decode()):
                inputs.insert(rng.randrange(max(0, place - 2), place + 1), before)
        if new.topic == "erasure" and rng.random() < 0.6:  # what was before comes once more
            again = rng.choice(inputs)
            if again.topic in PLATFORMS:
                inputs.append(replace(again, partition=1 - again.partition))
    inputs = [_several(rng, one) for one in inputs]
    moves = list(schedule.moves)
    for kind, odds in (("grow", 0.3), ("rewind", 0.3), ("rewind", 0.2)):
        if rng.random() < odds:
            place = rng.randrange(len(moves) + 1)
            moves.insert(place, Move(kind, 0, rng.randrange(65536)))
    if rng.random() < 0.4:
        moves += late_erasure(rng, config.workers)
    config = replace(config, wishes=True, refuse=rng.random() < 0.4)
    return replace(schedule, config=config, inputs=inputs, moves=moves)


def _several(rng: random.Random, one: Input) -> Input:
    """Some events have two items: two events of one record and one time."""
    if one.topic not in PLATFORMS or one.value is None or rng.random() > 0.15:
        return one
    value = msgspec.json.decode(one.value)
    if "item_id" not in value:
        return one
    value["items"] = [value.pop("item_id"), {"item_id": f"i{rng.randrange(4)}"}]
    return replace(one, value=msgspec.json.encode(value))


def _elsewhere(rng: random.Random, one: Input) -> Input:
    """Windows get events of two platforms; so consent changes what they hold."""
    return replace(one, topic="shop") if rng.random() < 0.4 else one


def _wish(rng: random.Random, users: list[str], locals_: list[str]) -> Input:
    dice = rng.random()
    user = rng.choice(users)
    if dice < 0.45:
        return Input("consent", 0, user.encode(), _consent(rng))
    if dice < 0.75:
        return Input("erasure", 0, user.encode(), _erasure(rng))
    if dice < 0.85 and locals_:
        local = rng.choice(locals_)
        value = {"platform": "shop", "local_id": local} | _time(rng)
        return Input("erasure", 0, f"shop/{local}".encode(), msgspec.json.encode(value))
    if dice < 0.93 and locals_:
        local = rng.choice(locals_)
        bad = msgspec.json.encode({"local_id": local, "action": "click"})
        return Input("shop", rng.randrange(2), local.encode(), bad)
    bad = msgspec.json.encode({"user_id": user, "action": "click"})
    return Input("video", rng.randrange(2), user.encode(), bad)


def order(inputs: list[Input], seed: int) -> list[Input]:
    """Records of an erasure that comes late, of somebody whom the platforms know."""
    rng = random.Random(seed)
    users = sorted({one.key.decode() for one in inputs if one.topic == "video"}) or ["u0"]
    user = rng.choice(users)
    return [*_just_before(rng, user), Input("erasure", 0, user.encode(), b"{}")]


def _just_before(rng: random.Random, key: str) -> list[Input]:
    """What an erased id had under way: an event, a record that can't be used."""
    platform, _, local = key.partition("/")
    topic, who = ("shop", {"local_id": local}) if local else ("video", {"user_id": platform})
    value = {"action": "click", "event_id": f"late{rng.randrange(1 << 20)}"} | who
    good = value | {"item_id": "i1", "time": START_MS + 1000 * rng.randrange(12 * DAY_MS // 1000)}
    found = [one for one, odds in ((good, 0.4), (value, 0.4)) if rng.random() < odds]
    return [
        Input(topic, rng.randrange(2), (local or key).encode(), msgspec.json.encode(one))
        for one in found
    ]


def _consent(rng: random.Random) -> bytes | None:
    if rng.random() < 0.2:
        return None
    names = (*PLATFORMS, "*")
    pairs = [
        {"source": rng.choice(names), "target": rng.choice(names)} for _ in range(rng.randint(0, 3))
    ]
    return msgspec.json.encode({"allowed" if rng.random() < 0.3 else "denied": pairs})


def _erasure(rng: random.Random) -> bytes | None:
    return None if rng.random() < 0.12 else msgspec.json.encode(_time(rng))


def _time(rng: random.Random) -> dict[str, int]:
    """Up to when nothing may count; without it, up to the record's own time."""
    if rng.random() < 0.3:
        return {}
    return {"time": START_MS + rng.randrange(12 * DAY_MS)}
