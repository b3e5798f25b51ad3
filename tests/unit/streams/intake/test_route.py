"""Keys of the log: whose event it is, by the platform's settings."""

from __future__ import annotations

import pytest

from streams.errors import RecordError
from streams.intake.formats.native import NativeEvent
from streams.intake.route import Router
from streams.settings import Platform

SHARED = Platform(name="video")
LINKED = Platform.model_validate({"name": "shop", "ids": "linked"})
ACCOUNTS = Platform.model_validate({"name": "shop", "ids": "linked", "user_id_is": "local"})

USER = NativeEvent(user_id="a", local_id="b")
LOCAL = NativeEvent(local_id="b")


@pytest.mark.parametrize(
    ("platform", "event", "key"),
    [
        (SHARED, USER, "u/a"),
        (SHARED, LOCAL, "u/b"),
        (SHARED, NativeEvent(), "u/c"),
        (LINKED, USER, "u/a"),
        (LINKED, LOCAL, "l/shop/b"),
        (LINKED, NativeEvent(), "l/shop/c"),
        (ACCOUNTS, USER, "l/shop/a"),
        (ACCOUNTS, LOCAL, "l/shop/b"),
    ],
)
def test_keys(platform: Platform, event: NativeEvent, key: str) -> None:
    assert Router(platform, 64).key(event, b"c") == key


def test_an_unusable_id_isnt_passed_over_for_the_next() -> None:
    with pytest.raises(RecordError, match="user_id"):
        Router(SHARED, 64).key(NativeEvent(user_id="", local_id="b"), b"c")
