"""A Faust topic whose messages carry batches."""

from __future__ import annotations

from typing import Any

from faust.topics import Topic
from faust.types import EventT, Message


class BatchTopic(Topic):
    """A topic whose messages carry a :class:`FetchedBatch`; nothing is decoded."""

    def _compile_decode(self) -> None:
        """Keep :meth:`decode`; Faust would put a compiled one in its place."""

    async def decode(self, message: Message, *, propagate: bool = False) -> EventT[Any]:
        """The event of a message: value is the batch, there is no key."""
        return self._create_event(None, message.value, headers=None, message=message)
