"""Which bundle is in force by what the bundles topic says."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import BundleError
from streams.runtime.bundles.announcement import (
    Announcement,
    Announcements,
    Role,
    encode,
    folder_of,
)
from tests.unit.streams.runtime.fakes import DEEP


def said(bundle: str, role: Role = "active", replaces: str = "") -> tuple[bytes, bytes]:
    value = encode(Announcement(bundle, f"/b/{bundle}", "0", role, replaces))
    return bundle.encode(), value


def taken(*records: tuple[bytes | None, bytes | None]) -> Announcements:
    made = Announcements()
    made.take(records)
    return made


def test_the_last_word_counts_and_the_others_are_known() -> None:
    known = taken(said("a"), said("b"), said("a"))
    assert [a.bundle for a in known.newest("active")] == ["a", "b"]
    active = known.active()
    assert active is not None
    assert active.bundle == "a"


def test_an_empty_topic_says_nothing() -> None:
    assert taken().active() is None
    assert taken().shadow() is None
    assert taken().before() is None


def test_what_is_taken_back_is_not_in_force() -> None:
    assert [a.bundle for a in taken(said("a"), said("b"), (b"b", None)).newest("active")] == ["a"]


def test_a_shadow_that_is_announced_as_active_is_no_shadow_any_more() -> None:
    known = taken(said("a"), said("b", "shadow"))
    assert known.shadow() is not None
    known.take([said("b", replaces="a")])
    assert known.shadow() is None
    assert [a.bundle for a in known.newest("active")] == ["b", "a"]


def test_going_back_twice_goes_back_two_bundles() -> None:
    known = taken(said("a"), said("b", replaces="a"), said("c", replaces="b"))
    path = []
    while (before := known.before()) is not None:
        path.append(before.bundle)
        known.take([(before.bundle.encode(), encode(before))])
    assert path == ["b", "a"]


@pytest.mark.parametrize(
    "record",
    [
        (b"x", b"not json"),
        (b"x", b"{}"),
        (None, b"[]"),
        (b"x", said("a")[1]),
        (b"x", b'{"bundle": "\xff"}'),
        (b"x", DEEP),
    ],
)
def test_nonsense_changes_nothing_and_is_told(record: tuple[bytes | None, bytes | None]) -> None:
    known = taken(said("a"), record)
    assert [a.bundle for a in known.newest("active")] == ["a"]
    assert known.ignored


def test_folders_are_paths_or_file_uris() -> None:
    assert folder_of("/shared/b 1") == Path("/shared/b 1")
    assert folder_of("bundles/1") == Path("bundles/1")
    assert folder_of("file:///shared/b%201") == Path("/shared/b 1")
    for uri in ("s3://bucket/b", "file://elsewhere/b", "https://x/b"):
        with pytest.raises(BundleError, match="every worker"):
            folder_of(uri)
