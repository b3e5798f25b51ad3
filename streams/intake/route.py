"""Under which key an event travels in the log: the user's, or the local id's."""

from __future__ import annotations

from streams.intake.checks import key_id, text_id
from streams.intake.formats.native import NativeEvent
from streams.log.keys import LOCAL, USER
from streams.settings import Platform


class Router:
    """Keys for one platform's events.

    ``user_id`` comes first, then ``local_id``, then the record's key. ``user_id`` is the
    canonical user's (or, by the platform's setting ``user_id_is``, one more local id); the
    others are the user on a platform whose ids are shared, a local id where they are linked.

    Args:
        platform: the platform.
        max_bytes: longest id in bytes.
    """

    __slots__ = ("_local_prefix", "_max_bytes", "_user_prefix")

    def __init__(self, platform: Platform, max_bytes: int) -> None:
        self._local_prefix = f"{LOCAL}{platform.name}/" if platform.ids == "linked" else USER
        self._user_prefix = USER if platform.user_id_is == "canonical" else self._local_prefix
        self._max_bytes = max_bytes

    def key(self, event: NativeEvent, record_key: bytes | None) -> str:
        """Key of ``event`` in the log.

        Raises:
            RecordError: nothing says whose event it is, or the id is unusable.
        """
        if event.user_id is not None:
            return self._user_prefix + text_id(event.user_id, "user_id", self._max_bytes)
        if event.local_id is not None:
            return self._local_prefix + text_id(event.local_id, "local_id", self._max_bytes)
        return self._local_prefix + key_id(record_key, "user_id", self._max_bytes)
