"""Under which key an event travels in the log: the user's, or the local id's."""

from __future__ import annotations

from streams.intake.native import NativeEvent
from streams.intake.validate import key_id, text_id
from streams.interest.log import LOCAL, USER


class Router:
    """Keys for one platform's events.

    A canonical ``user_id`` always wins. Without it, the ``local_id``, else the record's key,
    is the user on a platform whose ids are shared, and a local id on one whose ids are linked.

    Args:
        platform: name of the platform.
        linked: whether its ids are linked to users.
        max_bytes: longest id in bytes.
    """

    __slots__ = ("_local_prefix", "_max_bytes")

    def __init__(self, platform: str, *, linked: bool, max_bytes: int) -> None:
        self._local_prefix = f"{LOCAL}{platform}/" if linked else USER
        self._max_bytes = max_bytes

    def key(self, event: NativeEvent, record_key: bytes | None) -> str:
        """Key of ``event`` in the log.

        Raises:
            RecordError: nothing says whose event it is, or the id is unusable.
        """
        if event.user_id is not None:
            return USER + text_id(event.user_id, "user_id", self._max_bytes)
        if event.local_id is not None:
            return self._local_prefix + text_id(event.local_id, "local_id", self._max_bytes)
        return self._local_prefix + key_id(record_key, "user_id", self._max_bytes)
