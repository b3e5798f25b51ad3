"""The records of the log ``interest.events``: the only input of the update.

Everything that can change a user's state is a record of this log, so its order is the order
of the world: intake writes events and links; the update itself writes what one user's
partition has to tell another's (forwarded events, an adopted history).

Records are MessagePack arrays (one schema, versioned by the tag), and new fields may be appended
with a default; ``streams.log.codec`` has their bytes.

``via`` is where a record came from; per producer it only grows, which is how a repeated
record is told from a new one (see ``docs/guarantees.md``).
"""

from __future__ import annotations

import msgspec


class Via(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a log record came from: (topic, partition, offset, place inside the record).

    Attributes:
        topic: source topic (a platform's topic, or the log itself for forwarded records).
        partition: partition of that topic.
        offset: offset of the record in that partition.
        sub: place inside the source record (a purchase of several items is several events).
    """

    topic: str
    partition: int
    offset: int
    sub: int = 0


class Event(msgspec.Struct, array_like=True, tag="e", frozen=True, gc=False):
    """One interaction of one user with one item.

    Attributes:
        via: source position.
        platform: platform name.
        action: one of ``models.contract.ACTIONS``.
        item: item id on that platform.
        time_ms: event time, milliseconds since 1970 UTC.
        event_hash: :func:`stable_hash` of the event's identity: its id where the producer
            gives one, else its fields.
        source_ms: Kafka timestamp of the source record, for event-to-vector latency.
    """

    via: Via
    platform: str
    action: str
    item: str
    time_ms: int
    event_hash: int
    source_ms: int


class Link(msgspec.Struct, array_like=True, tag="l", frozen=True, gc=False):
    """A local id belongs to a user from here on in the log (``user`` None: to nobody).

    Travels under the local id's key.
    """

    via: Via
    platform: str
    local_id: str
    user: str | None
    source_ms: int


class Adopt(msgspec.Struct, array_like=True, tag="a", frozen=True, gc=False):
    """A local id now belongs to the user under whose key this record travels.

    Written by the owner of the local id's key when a link arrives.

    Attributes:
        state: the provisional user's stored value (``streams.windows.stored_value``), or ``b""``
            where nothing was known of the local id.
    """

    via: Via
    platform: str
    local_id: str
    state: bytes
    source_ms: int


class Release(msgspec.Struct, array_like=True, tag="r", frozen=True, gc=False):
    """A local id no longer belongs to the user under whose key this record travels."""

    via: Via
    platform: str
    local_id: str
    source_ms: int


class Announce(msgspec.Struct, array_like=True, tag="n", frozen=True, gc=False):
    """Whoever has this local id publishes its vector, or takes it back where there is none.

    Written by the former owner after its last vector for the local id was acknowledged, to
    the local id's key, and from there forwarded to the user whose it is now: the vectors of
    former and present owners come from different partitions, and without this the former's
    could stay the last.
    """

    via: Via
    platform: str
    local_id: str
    source_ms: int


class Consent(msgspec.Struct, array_like=True, tag="c", frozen=True, gc=False):
    """What a user allows from here on in the log; it takes the place of what was said before.

    Attributes:
        allow: True where ``pairs`` are all that is allowed, False where they are all that is
            denied.
        pairs: (source, target) platforms; ``"*"`` stands for any.
    """

    via: Via
    allow: bool
    pairs: tuple[tuple[str, str], ...]
    source_ms: int


class Erase(msgspec.Struct, array_like=True, tag="x", frozen=True, gc=False):
    """Nothing of whoever has this key may remain; the mark of it stays under the key.

    Travels under a user's key, or under a local id's (then it means whoever has that id).

    Attributes:
        at_ms: nothing that happened up to this time may count, whenever it is read.
        refuse: nothing that happens later may count either.
        lifted: the mark itself goes: the id is as one that was never seen.
    """

    via: Via
    at_ms: int
    refuse: bool
    lifted: bool
    source_ms: int


class Forget(msgspec.Struct, array_like=True, tag="f", frozen=True, gc=False):
    """A local id belonged to a user who is erased, and is nobody's from here on.

    Written by the owner of the erased user's key, to the local id's key. It concerns the
    local id only while it still belongs to that user.
    """

    via: Via
    platform: str
    local_id: str
    user: str
    at_ms: int
    refuse: bool
    source_ms: int


LogRecord = Event | Link | Adopt | Release | Announce | Consent | Erase | Forget
