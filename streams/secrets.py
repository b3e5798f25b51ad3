"""What has no place in a text: secrets, which come from files, and people's ids, as keyed hashes.

An id of a person in a log line or an error message would bring personal data to wherever logs
go. A keyed hash says whether two lines are about the same person, and nothing to somebody
without the key; a plain hash of an id could be found by trying ids.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Final

from streams.errors import SettingsError

DIGEST_BYTES: Final = 6
KEY_BYTES: Final = 64
"""The longest key that BLAKE2b takes."""

_key = secrets.token_bytes(32)


def use_hash_key(text: str) -> None:
    """The key of :func:`hidden` from here on; empty: as it is, random for each process."""
    global _key
    if text:
        _key = hashlib.sha512(text.encode()).digest()[:KEY_BYTES]


def hidden(text: str | bytes) -> str:
    """How log lines and messages call an id: the same for the same id and key.

    >>> use_hash_key("an example")
    >>> hidden("ann")
    'id:a0c7e55f19a2'
    >>> hidden("ann") == hidden(b"ann") != hidden("bob")
    True
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return "id:" + hashlib.blake2b(raw, digest_size=DIGEST_BYTES, key=_key).hexdigest()


def read_secret(path: str, setting: str) -> str:
    """The secret in a file, without the line break at its end.

    Args:
        path: the file.
        setting: what names it, for messages.

    Raises:
        SettingsError: the file can't be read, or is empty.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{setting} {path!r} can't be read: {cause}; name a text file that this user may read"
        ) from error
    if not text:
        raise SettingsError(f"{setting} {path!r} is empty; put the secret into it")
    return text
