"""The subscriber's side: a target's interest vectors, first all that there are, then live.

    from streams.subscribe.feed import InterestFeed, Tombstone

    with InterestFeed("localhost:9092", "shop") as feed:
        for update in feed:
            if isinstance(update, Tombstone):
                vectors.pop(update.id, None)
            else:
                vectors[update.id] = update.vector      # float32 [V]

A feed reads every partition of the topic from the beginning, without a consumer group: the
topic is compacted, so that is each user's latest vector once and some newer ones again. It
keeps no vectors itself; how many a subscriber holds, and in which form, is its own decision.

When the broker goes away the feed waits for it and goes on where it was. A damaged record is
counted in ``skipped``, logged and left out. A record of an unknown schema version raises: to
leave those out would quietly serve old interests. The base install has all this needs.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaConsumer

from streams.errors import RecordError
from streams.subscribe.schema import (
    DEFAULT_TOPIC,
    ID_HEADER,
    TARGET_HEADER,
    InterestUpdate,
    Tombstone,
    decode,
    is_shared,
    topic_name,
)
from streams.subscribe.topic_reader import TopicReader

__all__ = ["InterestFeed", "InterestUpdate", "RecordError", "Tombstone"]

log = logging.getLogger(__name__)

_RAISED: Final = ("unknown_schema", "unknown_encoding")


class InterestFeed:
    """Iterates over a target's vector updates and tombstones; one thread iterates.

    Args:
        bootstrap: broker addresses, ``host:port`` (several: a list, or with commas).
        target: platform whose items the vectors score.
        topic: as in the worker's setting ``output.topic``; with ``{target}`` each target has
            a topic of its own, without it other targets' records are left out.
        catch_up: start at the beginning of the topic; False: at its end, live only.
        start_timeout_s: how long to wait for the broker and the topic at first.
        consumer: makes the consumer (tests give a fake).
        **kafka: further options of ``kafka.KafkaConsumer``: ``security_protocol``,
            ``sasl_*``, ``ssl_*``, ``api_version`` (``(2, 3)`` for the demo's broker).

    Attributes:
        topic: the topic's name.
        skipped: number of records left out, by reason.

    Raises:
        BrokerError: no broker answered within ``start_timeout_s``.
        TopicError: the topic didn't exist within ``start_timeout_s``.
    """

    def __init__(
        self,
        bootstrap: str | Sequence[str],
        target: str,
        *,
        topic: str = DEFAULT_TOPIC,
        catch_up: bool = True,
        start_timeout_s: float = 30.0,
        consumer: Callable[..., Any] = KafkaConsumer,
        **kafka: Any,
    ) -> None:
        self.target = target
        self.topic = topic_name(topic, target)
        self.skipped: Counter[str] = Counter()
        self._shared = is_shared(topic)
        self._pending: deque[Any] = deque()
        self._caught_up = threading.Event()
        self._reader = TopicReader(
            bootstrap.split(",") if isinstance(bootstrap, str) else bootstrap,
            self.topic,
            catch_up=catch_up,
            start_timeout_s=start_timeout_s,
            consumer=consumer,
            options=kafka,
        )
        self._note_progress()

    def __iter__(self) -> Iterator[InterestUpdate | Tombstone]:
        return self

    def __next__(self) -> InterestUpdate | Tombstone:
        """The next update; waits for one.

        Raises:
            StopIteration: the feed was closed.
            RecordError: the record has a schema version or an encoding that this version
                doesn't know; iterating further goes on behind it.
        """
        entry = self._take(wait=True)
        if entry is None:
            raise StopIteration
        return entry

    def snapshot(self) -> Iterator[InterestUpdate | Tombstone]:
        """Everything up to the topic's end at the time of connecting, then stop.

        Iterating over the feed afterwards goes on live.
        """
        while (entry := self._take(wait=False)) is not None:
            yield entry

    @property
    def caught_up(self) -> bool:
        """Whether all that the topic held at the time of connecting was handed out."""
        return self._caught_up.is_set()

    def wait_until_caught_up(self, timeout_s: float | None = None) -> bool:
        """Wait in another thread than the iterating one; False: not within ``timeout_s``."""
        return self._caught_up.wait(timeout_s)

    def close(self) -> None:
        """End the iteration, from any thread; returns when the connection is closed."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, *, wait: bool) -> InterestUpdate | Tombstone | None:
        """The next entry; None when closed or, without ``wait``, caught up."""
        while not self._reader.closing.is_set():
            if self._pending:
                entry = self._read(self._pending.popleft())
                self._note_progress()
                if entry is not None:
                    return entry
            elif not wait and self._caught_up.is_set():
                return None
            else:
                self._pending.extend(self._reader.poll())
                self._note_progress()
        return None

    def _read(self, record: Any) -> InterestUpdate | Tombstone | None:
        """Entry of a record; None for another target's or a damaged one."""
        try:
            if not record.value:
                return self._tombstone(record)
            update = decode(record.value, record.headers)
            return update if update.target == self.target else None
        except (RecordError, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, RecordError) else "invalid_key"
            self.skipped[reason] += 1
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            if isinstance(error, RecordError) and reason in _RAISED:
                error.add_note(f"record {where}")
                raise
            # Not the error itself: it quotes the record, and with it an id.
            log.warning("%s left out (%d of %r)", where, self.skipped[reason], reason)
            return None

    def _tombstone(self, record: Any) -> Tombstone | None:
        """Whose tombstone it is; its headers say so, else its key."""
        named = dict(record.headers)
        prefix = f"{self.target}/"
        key = (record.key or b"").decode()
        if TARGET_HEADER in named and ID_HEADER in named:
            mine = named[TARGET_HEADER].decode() == self.target
            key = named[ID_HEADER].decode()
        else:
            mine = not self._shared or key.startswith(prefix)
            key = key.removeprefix(prefix) if self._shared else key
        return Tombstone(key, self.target) if mine and key else None

    def _note_progress(self) -> None:
        """Caught up once everything up to the first end was handed out."""
        if not self._pending and not self.caught_up and self._reader.at_first_end:
            self._caught_up.set()
