"""Why a record became a dead letter or had no effect: the words used in letters and metrics."""

from __future__ import annotations

from typing import Final

NOT_JSON: Final = "not_json"
TOO_DEEP: Final = "too_deep"
WRONG_TYPE: Final = "wrong_type"
WRONG_FORMAT: Final = "wrong_format"
BAD_ID: Final = "bad_id"
NO_USER: Final = "no_user"
NO_ITEM: Final = "no_item"
NO_TITLE: Final = "no_title"
TOO_MANY_ITEMS: Final = "too_many_items"
NO_ACTION: Final = "no_action"
UNKNOWN_ACTION: Final = "unknown_action"
BAD_TIME: Final = "bad_time"
TOO_OLD: Final = "too_old"
FROM_FUTURE: Final = "from_future"
KEY_MISMATCH: Final = "key_mismatch"
UNKNOWN_PLATFORM: Final = "unknown_platform"
BAD_CONSENT: Final = "bad_consent"

REJECTED: Final = {
    NOT_JSON: "the value isn't one JSON object in UTF-8",
    TOO_DEEP: "the value is nested too deeply to be read safely",
    WRONG_TYPE: "a field has a value of the wrong type",
    WRONG_FORMAT: "the record isn't of the format that its platform is configured with",
    BAD_ID: "an id is empty, blank, too long, or not UTF-8",
    NO_USER: "neither the value nor the record's key says whose record it is",
    NO_ITEM: "the record names no item",
    NO_TITLE: "an item has no title, or an empty one",
    TOO_MANY_ITEMS: "the event has more items than `intake.max_items`",
    NO_ACTION: "neither the value nor the topic names an action",
    UNKNOWN_ACTION: "the action isn't one of the six that are known",
    BAD_TIME: "the time can't be read, or there is none",
    TOO_OLD: "the time is before 1990",
    FROM_FUTURE: "the time is more than `window.max_future_s` ahead of the worker's clock",
    KEY_MISMATCH: "the record's key isn't the id in its value",
    UNKNOWN_PLATFORM: "consent or an erasure names a platform that isn't configured",
    BAD_CONSENT: "consent has both or neither of `denied` and `allowed`",
}

EMPTY_VALUE: Final = "empty_value"
OTHER_EVENT: Final = "other_event"
IGNORED: Final = (EMPTY_VALUE, OTHER_EVENT)
"""Why an event's record has no effect and needs no dead letter; ``streams.metrics`` says more."""
