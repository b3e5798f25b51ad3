"""Formats that producers already send, one adapter each: a record -> native events."""

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
