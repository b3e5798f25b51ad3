"""Moved: :mod:`streams.subscribe.feed`. This place goes with version 0.3."""

from streams.output import warn_moved
from streams.subscribe.feed import InterestFeed, InterestUpdate, RecordError, Tombstone

__all__ = ["InterestFeed", "InterestUpdate", "RecordError", "Tombstone"]

warn_moved("feed")
