"""Events put aside before they are applied, with the user's row as it was.

A case is the first event of its user in a batch: its user's history isn't empty, its item is one
of the bundle's, its action isn't a refund.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from streams.quality.ranking import Float64, Int64


@dataclass(slots=True)
class Cases:
    """Events put aside before they were applied (columns [n]).

    Attributes:
        platform: platform index of the event.
        hash40: 40-bit hash of the event's item.
        rows: the user's row before the event, of the active bundle's layout.
        popular: rank of the item by popularity then, 1 for the first.
    """

    platform: Int64
    hash40: Int64
    rows: NDArray[Any]
    popular: Float64

    def __len__(self) -> int:
        return len(self.platform)

    def take(self, where: slice | NDArray[Any]) -> Cases:
        """Some of the cases."""
        return Cases(
            self.platform[where], self.hash40[where], self.rows[where], self.popular[where]
        )
