"""Moved: :mod:`streams.subscribe.ranking`. This place goes with version 0.3."""

from streams.output import warn_moved
from streams.subscribe.ranking import ItemRanking, Ranked

__all__ = ["ItemRanking", "Ranked"]

warn_moved("ranking")
