"""Vectors to publish: states of users, migrated to the targets that know them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.effects.effects import CallTimes, VectorBatch
from streams.identity.directory import Recipient
from streams.log.keys import USER, split_local_key
from streams.windows.slab import Slab


class MigrateModel(Protocol):
    """Interest vectors of states; see ``models.contract``."""

    def migrate(self, state: NDArray[np.float16]) -> NDArray[np.float32]:
        """Interest vectors [B, P, V] of states [B, S]."""


@dataclass(slots=True)
class Addressees:
    """Rows of one slab and who gets their vectors, as columns of equal length.

    Attributes:
        rows: slab row.
        targets: platform index.
        ids: the id that the target knows.
    """

    rows: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def add(self, row: int, recipients: Iterable[Recipient]) -> None:
        """One row for some recipients."""
        for target, id in recipients:
            self.rows.append(row)
            self.targets.append(target)
            self.ids.append(id)


def make_vectors(
    slab: Slab,
    model: MigrateModel,
    to: Addressees,
    source_ms: NDArray[np.int64],
    times: CallTimes,
) -> VectorBatch:
    """Vectors of users for their recipients.

    Args:
        slab: users in memory.
        model: the bundle's graphs.
        to: whose vectors, for whom.
        source_ms: newest Kafka timestamp behind each row of the slab, 0 where it isn't known
            [capacity].
        times: takes the size and seconds of the call.
    """
    rows = np.array(to.rows, np.int64)
    users, of_user = np.unique(rows, return_inverse=True)
    began = time.perf_counter()
    interests = model.migrate(slab.rows["current"][users])
    times.add(len(users), time.perf_counter() - began)
    counts = slab.rows["counts"][users].astype(np.int64)
    events = counts.sum(axis=1)
    shares = (counts / np.maximum(events, 1)[:, None]).astype(np.float32)
    user_ids = [_user(slab.keys[row] or "") for row in users.tolist()]
    return VectorBatch(
        targets=to.targets,
        ids=to.ids,
        users=[user_ids[index] for index in of_user.tolist()],
        vectors=interests[of_user, np.array(to.targets)],
        as_of_ms=slab.newest_ms[rows],
        events=events[of_user],
        shares=shares[of_user],
        source_ms=source_ms[rows],
        partitions=slab.partitions[rows],
    )


def _user(key: str) -> str:
    """Whose key it is; of a provisional user the local id."""
    return key[len(USER) :] if key.startswith(USER) else split_local_key(key)[1]
