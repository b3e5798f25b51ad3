"""What consent and erasures must have led to: each key's records in the order of the log.

Records that the service itself forwarded are taken from the log too, because their place among
the user's other records decides; but only such as the rules say must have been forwarded.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

from streams.identity.allowed_sources import allowed_sources, union
from streams.log.keys import LOCAL, local_key
from streams.log.records import Adopt, Consent, Erase, Event, Forget, Link, LogRecord, Release
from streams.windows.stored_tail import NOT_ERASED, Privacy
from tests.simulation.toy import EVENTS, HORIZON_MS, PLATFORMS
from tests.unit.streams.toy import ReferenceUser

ALL = (1 << len(PLATFORMS)) - 1
Place = tuple[int, int]
"""partition, offset"""


@dataclass
class Person:
    """What is known under one key.

    Attributes:
        window: events that a window holds.
        owner: the user, where the key is a linked local id's.
        sets: a history for each set of sources.
        kept: the set whose events are stored.
        targets: which set each target uses.
        wishes: what the user allows, and since when nothing of before counts.
        local_ids: keys of the local ids.
    """

    window: int
    owner: str | None = None
    sets: dict[int, ReferenceUser] = field(default_factory=dict)
    kept: int = ALL
    targets: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(2), ALL))
    wishes: Privacy = field(default_factory=Privacy)
    local_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing has happened."""
        wanted = {self.kept, *self.targets.values()}
        self.sets = {sources: ReferenceUser(self.window, HORIZON_MS) for sources in wanted}

    def barred(self, time_ms: int) -> bool:
        """Whether something of that time may not count."""
        return self.wishes.refuse or time_ms <= self.wishes.erased_ms

    def arrive(self, new: Event) -> None:
        """An event, if it may count."""
        if not self.barred(new.time_ms):
            for sources, user in self.sets.items():
                if sources >> PLATFORMS.index(new.platform) & 1:
                    user.arrive(new)

    def consent(self, record: Consent) -> None:
        """Sets that were there stay; new ones are made of what the window holds."""
        self.wishes.allow, self.wishes.pairs = record.allow, record.pairs
        self.targets = allowed_sources(self.wishes, PLATFORMS, PLATFORMS)
        kept = union(self.targets.values())
        held = held_by(self.sets[self.kept])
        made: dict[int, ReferenceUser] = {}
        for sources in {kept, *self.targets.values()}:
            old = sources & self.kept
            if sources in self.sets or old in self.sets:
                made[sources] = deepcopy(self.sets.get(sources) or self.sets[old])
                continue
            made[sources] = ReferenceUser(self.window, HORIZON_MS)
            for event in held:
                if old >> PLATFORMS.index(event.platform) & 1:
                    made[sources].arrive(event)
        self.sets, self.kept = made, kept

    def erase(self, record: Erase | Forget) -> None:
        """Nothing has happened, and nothing of before may count any more."""
        if isinstance(record, Erase) and record.lifted:
            self.wishes.erased_ms, self.wishes.refuse = NOT_ERASED, False
            return
        self.clear()
        self.local_ids = []
        self.wishes.erased_ms = max(self.wishes.erased_ms, record.at_ms)
        self.wishes.refuse = record.refuse

    @property
    def stored(self) -> list[Event]:
        """Events that the user's own row stands for."""
        return self.sets[self.kept].accepted


def held_by(user: ReferenceUser) -> list[Event]:
    """What a window holds, after what no rebuild needs has expired."""
    start = max(user.ring_start, len(user.accepted) - user.window)
    while start < user.base and user.accepted[start].time_ms < (
        user.accepted[-1].time_ms - user.horizon_ms
    ):
        start += 1
    return user.accepted[start:]


class People:
    """All keys; local ids are read before users, who get what local ids pass on."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.found: dict[str, Person] = {}
        self.forwarded: set[Place] = set()
        self.handed: dict[Place, list[Event]] = {}

    def read(self, records: list[tuple[Place, str, LogRecord]]) -> None:
        """All fresh records of the log, each partition's in order."""
        for local in (True, False):
            for place, key, record in records:
                if key.startswith(LOCAL) == local:
                    person = self.found.setdefault(key, Person(self.window))
                    (self._of_local if local else self._of_user)(place, person, record)

    def _of_local(self, place: Place, person: Person, record: LogRecord) -> None:
        if isinstance(record, Link):
            self._link(place, person, record)
        elif isinstance(record, Forget):
            if person.owner == record.user:
                person.owner, person.wishes = None, Privacy()
                person.erase(record)
        elif isinstance(record, Event | Erase) and person.owner is not None:
            self.forwarded.add(place)
        elif isinstance(record, Event):
            person.arrive(record)
        elif isinstance(record, Erase):
            person.erase(record)

    def _link(self, place: Place, person: Person, link: Link) -> None:
        if link.user == person.owner:
            return
        if link.user is not None:
            self.handed[place] = [] if person.owner is not None else list(person.stored)
        person.owner, person.wishes = link.user, Privacy()
        person.clear()

    def _of_user(self, place: Place, person: Person, record: LogRecord) -> None:
        via = record.via
        forwarded = via.topic == EVENTS
        if isinstance(record, Event | Erase) and forwarded:
            assert (via.partition, via.offset) in self.forwarded, f"forwarded from nowhere: {via}"
        if isinstance(record, Event):
            person.arrive(record)
        elif isinstance(record, Erase):
            person.erase(record)
        elif isinstance(record, Consent):
            person.consent(record)
        elif isinstance(record, Adopt):
            self._adopt(person, record)
        elif isinstance(record, Release):
            key = local_key(record.platform, record.local_id)
            person.local_ids = [known for known in person.local_ids if known != key]

    def _adopt(self, person: Person, record: Adopt) -> None:
        if person.barred(record.source_ms):
            return
        key = local_key(record.platform, record.local_id)
        person.local_ids += [] if key in person.local_ids else [key]
        place = record.via.partition, record.via.offset
        assert place in self.handed, f"adopted from nowhere: {record.via}"
        for event in self.handed[place]:
            person.arrive(event)
