"""Whose a local id is, as far as this worker knows."""

from __future__ import annotations


class Pointers:
    """Which local ids belong to which user, as far as this worker has looked.

    A change is kept until it's stored: the store would still tell the old owner. What is
    stored may be forgotten and read again.

    Args:
        limit: how many are kept at the most, beside those that aren't stored yet.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._owners: dict[str, tuple[str, int]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._owners

    def __len__(self) -> int:
        return len(self._owners)

    def owner(self, key: str) -> str | None:
        """The user to whom a local id's key belongs; None: nobody, or not looked up."""
        found = self._owners.get(key)
        return None if found is None else found[0]

    def set(self, key: str, user: str, batch: int = 0) -> None:
        """A local id belongs to ``user``; ``batch`` is 0 where that is stored already."""
        self._owners[key] = (user, batch)

    def forget(self, key: str) -> None:
        """A local id belongs to nobody any more; a state is under its key again."""
        self._owners.pop(key, None)

    def trim(self, flushed: int) -> None:
        """Forget what is stored (batches up to ``flushed``), if there is too much of it."""
        if len(self._owners) > self._limit:
            kept = {key: entry for key, entry in self._owners.items() if entry[1] > flushed}
            self._owners = kept

    def clear(self) -> None:
        """Forget everything; the partitions are somebody else's now."""
        self._owners.clear()
