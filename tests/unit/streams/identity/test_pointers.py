"""What is known of local ids' owners."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.identity.pointers import Pointers


def test_an_owner_that_is_not_stored_yet_outlives_the_limit() -> None:
    pointers = Pointers(limit=2)
    pointers.set("l/shop/1", "ann")
    pointers.set("l/shop/2", "bob", batch=4)
    pointers.set("l/shop/3", "cy", batch=5)
    pointers.trim(flushed=4)
    assert [pointers.owner(f"l/shop/{n}") for n in (1, 2, 3)] == [None, None, "cy"]
    assert "l/shop/1" not in pointers


def test_up_to_the_limit_nothing_is_forgotten() -> None:
    pointers = Pointers(limit=2)
    pointers.set("l/shop/1", "ann")
    pointers.set("l/shop/2", "bob")
    pointers.trim(flushed=100)
    assert len(pointers) == 2


keys = st.sampled_from([f"l/shop/{n}" for n in range(6)])


@given(st.lists(st.tuples(keys, st.sampled_from(["ann", "bob", None]), st.booleans())))
def test_the_last_word_holds(changes: list[tuple[str, str | None, bool]]) -> None:
    pointers = Pointers(limit=1)
    truth: dict[str, str] = {}
    for batch, (key, user, stored) in enumerate(changes, start=1):
        if user is None:
            pointers.forget(key)
            truth.pop(key, None)
        else:
            pointers.set(key, user, batch)
            truth[key] = user
        if stored:
            pointers.trim(batch)
        for known in [f"l/shop/{n}" for n in range(6)]:
            if known in pointers:
                assert pointers.owner(known) == truth[known]
        assert pointers.owner(key) == truth.get(key) or (stored and len(pointers) <= 1)
    pointers.clear()
    assert len(pointers) == 0
