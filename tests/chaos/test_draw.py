"""A seed repeats the order of faults and the traffic; nothing impossible is drawn."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.draw import KINDS, draw
from tests.chaos.faults import corrupt
from tests.chaos.traffic import LINKED_AT, number_at, owned, steps

SEEDS = st.integers(0, 2**32)


@given(SEEDS)
def test_a_seed_repeats_its_faults(seed: int) -> None:
    first = draw(random.Random(seed), 50, list(KINDS), running=2, slots=3)
    assert draw(random.Random(seed), 50, list(KINDS), running=2, slots=3) == first


@given(SEEDS)
def test_there_is_always_a_worker_and_never_one_too_many(seed: int) -> None:
    running = 2
    for drawn in draw(random.Random(seed), 200, list(KINDS), running=2, slots=3):
        running += {"worker_joins": 1, "worker_leaves": -1}.get(drawn.kind, 0)
        assert 1 <= running <= 3


def test_two_hundred_have_every_kind() -> None:
    kinds = {drawn.kind for drawn in draw(random.Random(1), 200, list(KINDS), running=2, slots=3)}
    assert kinds == set(KINDS)


def test_the_last_fault_is_waited_for() -> None:
    for seed in range(100):
        assert not draw(random.Random(seed), 3, list(KINDS), running=2, slots=3)[-1].hasty


def test_a_seed_repeats_its_traffic() -> None:
    first = list(itertools.islice(steps("p", 7), 5_000))
    assert list(itertools.islice(steps("p", 7), 5_000)) == first
    events = [step for step in first if not step.is_link]
    assert [number_at(step.value["time"]) for step in events] == list(range(len(events)))
    assert len({step.value["event_id"] for step in events}) == len(events)


def test_a_link_comes_while_both_histories_fit_their_windows() -> None:
    seen: Counter[str] = Counter()
    links = 0
    for step in itertools.islice(steps("p", 7), 100_000):
        if step.is_link:
            links += 1
            assert seen[step.user] == LINKED_AT
        else:
            seen[step.user] += 1
    assert links > 500
    assert max(n for user, n in seen.items() if user.startswith("visit-")) < 64
    assert max(seen.values()) > 64  # of those who stay: longer than a window


def test_what_is_linked_later_counts_for_the_user() -> None:
    sent = list(itertools.islice(steps("p", 7), 20_000))
    linked = {step.user for step in sent if step.is_link}
    assert linked
    for step in owned(sent):
        assert ("local_id" in step.value) is (
            step.topic.startswith("p.shop") and step.user not in linked
        )


def test_a_corrupted_file_is_another_one(tmp_path: Path) -> None:
    for seed in range(20):
        file = tmp_path / f"{seed}.sst"
        before = bytes(range(256)) * 8
        file.write_bytes(before)
        assert file.name in corrupt(file, random.Random(seed))
        assert file.read_bytes() != before
