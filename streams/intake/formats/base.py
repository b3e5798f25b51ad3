"""What an adapter is, and how its dead letters speak of the producer's own fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.errors import RecordError
from streams.intake.formats.native import NativeEvent

Headers = Sequence[tuple[str, bytes | None]]
Decode = Callable[[bytes, Headers], Sequence[NativeEvent]]


@dataclass(frozen=True, slots=True)
class Format:
    """One producer format.

    Attributes:
        decode: value and headers of a record -> its events in order; none where the record
            is something else than an interaction with an item. Raises ``RecordError`` or one
            of ``streams.intake.decode.DECODE_ERRORS``.
        names: native field -> the format's own name for it; ``item`` is the name of the item
            id inside an entry of ``items``.
    """

    decode: Decode
    names: Mapping[str, str]

    def in_its_words(self, error: RecordError) -> RecordError:
        """``error`` with the format's own field names."""
        return RecordError(
            error.reason,
            _ENTRY.sub(self._entry, error.field),
            error.value,
            _WORD.sub(lambda found: self.names.get(found[0], found[0]), error.remedy),
        )

    def _entry(self, found: re.Match[str]) -> str:
        name, index = found["name"], found["index"]
        own = self.names.get(name, name)
        return f"{own}{index}.{self.names['item']}" if index else own


_ENTRY: Final = re.compile(r"^(?P<name>\w+)(?:(?P<index>\[\d+\])\.item_id)?$")
_WORD: Final = re.compile(r"\b(?:event_id|user_id|local_id|item_id|items)\b")
