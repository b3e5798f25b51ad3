"""Keys of the log and of the state table, and the hash that stands for an id."""

from __future__ import annotations

from typing import Final

import xxhash

USER: Final = "u/"
LOCAL: Final = "l/"
LOW_40: Final = (1 << 40) - 1
"""The bits of an item's hash that windows store."""


def user_key(user_id: str) -> str:
    """Key of a canonical user in the log and in the state table."""
    return USER + user_id


def local_key(platform: str, local_id: str) -> str:
    """Key of a local id of a platform whose ids are linked to users."""
    return f"{LOCAL}{platform}/{local_id}"


def split_local_key(key: str) -> tuple[str, str]:
    """Platform and local id of a key made by :func:`local_key`.

    Raises:
        ValueError: ``key`` isn't a local key.
    """
    if not key.startswith(LOCAL):
        raise ValueError(f"{key!r} isn't the key of a local id")
    platform, _, local_id = key[len(LOCAL) :].partition("/")
    return platform, local_id


def stable_hash(text: str) -> int:
    """64-bit hash that is the same in every process and version (XXH3)."""
    return xxhash.xxh3_64_intdigest(text.encode())
