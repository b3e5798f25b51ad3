"""Moved: :mod:`streams.subscribe.schema`. This place goes with version 0.3."""

from streams.output import warn_moved
from streams.subscribe.schema import (
    CONTENT_TYPES,
    DEFAULT_TOPIC,
    ID_HEADER,
    SCHEMA,
    SCHEMA_HEADER,
    TARGET_HEADER,
    TYPE_HEADER,
    InterestUpdate,
    Tombstone,
    check_headers,
    decode,
    headers,
    is_shared,
    record_key,
    tombstone_headers,
    topic_name,
)

__all__ = [
    "CONTENT_TYPES",
    "DEFAULT_TOPIC",
    "ID_HEADER",
    "SCHEMA",
    "SCHEMA_HEADER",
    "TARGET_HEADER",
    "TYPE_HEADER",
    "InterestUpdate",
    "Tombstone",
    "check_headers",
    "decode",
    "headers",
    "is_shared",
    "record_key",
    "tombstone_headers",
    "topic_name",
]

warn_moved("schema")
