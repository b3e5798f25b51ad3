"""What is said about bundles on the bundles topic, and which one is in force by it.

One partition, compacted; the key is the bundle's id, so the topic keeps the last word about each
bundle, and the order of those words says which came last. A record without a value takes a bundle
back. The value is JSON, so that it can be written and read by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from streams.errors import BundleError
from streams.intake.decode import DECODE_ERRORS

PARTITION: Final = 0
"""The only one that is written and read, however many a broker has made."""
Role = Literal["active", "shadow"]


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bundle that is to be used.

    Attributes:
        bundle: its id.
        uri: its folder as workers see it: a path, or a ``file:`` URI.
        checksum: SHA-256 of its manifest, which has the checksums of all its files.
        role: ``active`` is in force, ``shadow`` is computed beside and compared.
        replaces: id of the bundle that was in force before; a rollback goes there.
        announced_ms: when.
    """

    bundle: str
    uri: str
    checksum: str
    role: Role = "active"
    replaces: str = ""
    announced_ms: int = 0


def folder_of(uri: str) -> Path:
    """The folder of a path or a ``file:`` URI.

    Raises:
        BundleError: it is no URI, has another scheme, or names another machine.
    """
    if "://" not in uri and not uri.startswith("file:"):
        return Path(uri)
    try:
        parts = urlsplit(uri)
    except ValueError as error:  # of brackets around what isn't an address, for instance
        raise BundleError(
            f"{uri!r} isn't a URI ({error}); announce the bundle's folder as every worker sees it"
        ) from error
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise BundleError(
            f"{uri!r} isn't a path nor a file: URI of this machine; put the bundle on storage "
            "that every worker has at the same place, and announce its folder there"
        )
    return Path(unquote(parts.path))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Announcement)


def encode(announcement: Announcement) -> bytes:
    """Value of an announcement's record."""
    return _encoder.encode(announcement)


class Announcements:
    """The last word about each bundle, in the order of the topic.

    Attributes:
        ignored: records that can't be read, for the log: what is wrong with the last of them.
    """

    def __init__(self) -> None:
        self._known: dict[str, Announcement] = {}
        self.ignored = ""

    def take(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Read on: keys and values in the order of their offsets."""
        for key, value in records:
            name = (key or b"").decode(errors="replace")
            if not value:
                self._known.pop(name, None)
                continue
            try:
                announcement = _decoder.decode(value)
            except DECODE_ERRORS as error:
                self.ignored = f"a record under {name!r} isn't an announcement: {error}"
                continue
            if announcement.bundle != name:
                self.ignored = f"{announcement.bundle!r} is announced under the key {name!r}"
                continue
            self._known.pop(name, None)
            self._known[name] = announcement

    def newest(self, role: Role) -> list[Announcement]:
        """Announcements of a role, the last one first."""
        return [a for a in reversed(self._known.values()) if a.role == role]

    def active(self) -> Announcement | None:
        """The bundle that is to be in force; None where none was announced."""
        return next(iter(self.newest("active")), None)

    def shadow(self) -> Announcement | None:
        """The bundle that is to be tried beside it."""
        return next(iter(self.newest("shadow")), None)

    def before(self) -> Announcement | None:
        """What a rollback announces: the bundle that the present one replaced."""
        active = self.active()
        return None if active is None else self._known.get(active.replaces)
