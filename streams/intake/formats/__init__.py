"""Formats that producers already send, one adapter each: a record -> native events.

A new one is a module here with a ``FORMAT`` (see ``base``), a line in ``FORMATS`` below, and its
name in ``Platform.format`` of ``streams/settings/sections/platform.py``.

In: the bytes and headers of a record; out: :class:`~streams.intake.formats.native.NativeEvent`.
May import: ``intake.decode``, ``intake.reasons``, ``errors``, ``models.contract``.
"""

from collections.abc import Mapping
from typing import Final

from streams.intake.formats import cloudevents, ga4, segment, snowplow
from streams.intake.formats.base import Format

FORMATS: Final[Mapping[str, Format]] = {
    "segment": segment.FORMAT,
    "ga4": ga4.FORMAT,
    "snowplow": snowplow.FORMAT,
    "cloudevents": cloudevents.FORMAT,
}
"""By the setting ``platforms[].format``; ``native`` needs no adapter."""

__all__ = ["FORMATS", "Format"]
