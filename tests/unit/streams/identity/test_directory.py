"""Who gets a user's vectors under which id."""

from __future__ import annotations

from streams.identity.directory import IdDirectory, Recipient
from streams.log.keys import local_key, user_key

PLATFORMS = ("video", "shop", "news", "games")
DIRECTORY = IdDirectory(PLATFORMS, {"video": True, "shop": False, "news": True})


def test_a_user_is_known_to_shared_platforms_and_to_linked_ones_by_their_ids() -> None:
    links = [("shop", "c-1"), ("shop", "c-2")]
    assert DIRECTORY.of(user_key("ann"), links) == [
        Recipient(0, "ann"),
        Recipient(2, "ann"),
        Recipient(1, "c-1"),
        Recipient(1, "c-2"),
    ]


def test_a_user_without_links_is_unknown_to_linked_platforms() -> None:
    assert [r.target for r in DIRECTORY.of(user_key("ann"), [])] == [0, 2]


def test_a_local_id_without_a_link_is_known_to_its_own_platform_only() -> None:
    assert DIRECTORY.of(local_key("shop", "c/1"), []) == [Recipient(1, "c/1")]


def test_platforms_that_are_not_configured_get_nothing() -> None:
    assert DIRECTORY.of(local_key("games", "g"), []) == []
    assert Recipient(3, "g") not in DIRECTORY.of(user_key("ann"), [("games", "g")])


def test_whether_a_platforms_ids_are_the_users() -> None:
    assert [DIRECTORY.shares(target) for target in range(3)] == [True, False, True]
