"""Records of the log itself that can't be used, and their dead letters."""

from __future__ import annotations

from typing import Final

from streams.effects.effects import Refused
from streams.log.keys import USER, local_key
from streams.log.records import Adopt, Consent, Erase, Event, Forget, Link, LogRecord, Release
from streams.update.context import UpdateContext, is_key
from streams.windows.late_events import BIG

LOG_RECORD: Final = "log_record"
"""Why a dead letter: a record of the log itself can't be used."""


def refuse(
    partition: int, offset: int, key: bytes | None, value: bytes | None, why: str
) -> Refused:
    """The dead letter of a record of the log."""
    return Refused(
        partition, offset, key, value, LOG_RECORD, "value", why,
        "only the service may write to the log, and its bundle must know every platform",
    )  # fmt: skip


def problem_of(key: str, record: LogRecord, context: UpdateContext) -> str:
    """Why a record can't be applied under its key; empty where it can."""
    if not is_key(key):
        return f"the key {key!r} is neither a user's nor a local id's"
    times = {"source_ms": record.source_ms}
    if isinstance(record, Erase | Forget):
        times["at_ms"] = record.at_ms
    if wrong := [f"{field} {ms}" for field, ms in times.items() if not -BIG < ms < BIG]:
        return f"{' and '.join(wrong)} isn't a time"
    if isinstance(record, Event):
        return _problem_of_event(record, context)
    if isinstance(record, Link) and key != local_key(record.platform, record.local_id):
        return f"a link travels under its local id's key, not under {key!r}"
    if isinstance(record, Forget) and key != local_key(record.platform, record.local_id):
        return f"a local id is forgotten under its key, not under {key!r}"
    if isinstance(record, Adopt | Release) and not key.startswith(USER):
        return f"a user gets and loses local ids, not {key!r}"
    if isinstance(record, Adopt) and record.platform not in context.platform_index:
        return f"platform {record.platform!r} is unknown"
    if isinstance(record, Consent) and not key.startswith(USER):
        return f"consent is a user's, not {key!r}'s"
    return ""


def _problem_of_event(event: Event, context: UpdateContext) -> str:
    if event.platform not in context.platform_index or event.action not in context.action_index:
        return f"platform {event.platform!r} or action {event.action!r} is unknown"
    if not 0 <= event.time_ms < BIG:
        return f"time_ms {event.time_ms} isn't a time"
    return ""
