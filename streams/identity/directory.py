"""Which platform knows a user by which id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from streams.log.keys import USER, split_local_key
from streams.windows.stored_tail import LocalId


class Recipient(NamedTuple):
    """A vector's addressee.

    Attributes:
        target: platform index of the contract.
        id: the id that the target knows.
    """

    target: int
    id: str


@dataclass(frozen=True)
class IdDirectory:
    """Who gets a user's vectors.

    Attributes:
        platforms: contract platform names.
        targets: configured platforms → True where its ids are shared (the local id is the
            user), False where they are linked.
    """

    platforms: tuple[str, ...]
    targets: dict[str, bool]

    @cached_property
    def shared(self) -> list[int]:
        """Targets whose ids are the users'."""
        return [self.platforms.index(name) for name, same in self.targets.items() if same]

    def shares(self, target: int) -> bool:
        """Whether a platform's ids are the users'."""
        return self.targets[self.platforms[target]]

    def of(self, key: str, local_ids: Sequence[LocalId]) -> list[Recipient]:
        """Recipients of a user's vectors.

        A canonical user is known to every platform with shared ids, and to those with linked
        ids where a link exists. A local id without a link is known to its own platform only.
        """
        index = self.platforms.index
        if not key.startswith(USER):
            platform, local_id = split_local_key(key)
            return [Recipient(index(platform), local_id)] if platform in self.targets else []
        user = key[len(USER) :]
        shared = [Recipient(target, user) for target in self.shared]
        linked = [Recipient(index(p), local) for p, local in local_ids if p in self.targets]
        return shared + linked
