"""Each protection, and how to switch it off: the simulator must then find a broken promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from streams.effects.effects import Effects
from streams.effects.order import Part, Phase, phases_of
from streams.identity import histories, views
from streams.identity.views import Views
from streams.inference.state_updater import StateUpdater
from streams.log.records import Adopt, Announce, Event, Forget, Via
from streams.publish.publication import Publication
from streams.update import batch as at_work
from streams.update import dispatcher, updater
from streams.update.batch import Arrival, Batch
from streams.update.changelog import write_changelog
from streams.update.records import adoption, erasure, events, forgotten_ids, links
from streams.update.renewal import Found, Renewal
from streams.update.row_progress import RowProgress
from streams.update.source_marks import PREFIX, Marks
from streams.windows import slab
from streams.windows.step_columns import StepColumns
from streams.windows.stored_tail import encode_tail
from tests.simulation import toy
from tests.simulation.machines.flight import Rules

Patch = tuple[object, str, Any]


@dataclass(frozen=True)
class Mutation:
    """A protection that is missing.

    Attributes:
        patches: (object, attribute, replacement).
        rules: the runtime's rules.
        seed: where the search begins.
        zombies: whether workers may lose their partitions unawares.
    """

    patches: tuple[Patch, ...] = ()
    rules: Rules = field(default_factory=Rules)
    seed: int = 0
    zombies: bool = True


def _all_fresh(marks: Marks, via: Via) -> bool:
    _advance(marks, via)
    return True


def _every_one_fresh(marks: Marks, topics: Any, sources: Any) -> Any:
    _advance_all(marks, topics, sources)
    return np.ones(sources.shape[1], np.bool_)


def _reorder(change: Callable[[list[Phase]], list[Phase]]) -> Rules:
    def phases(effects: Effects) -> list[Phase]:
        return change(phases_of(effects))

    return Rules(phases=phases)


def _moved(part: Part, after: Part) -> Rules:
    """``part`` as a phase of its own, right after the phase that has ``after``."""

    def change(phases: list[Phase]) -> list[Phase]:
        out: list[Phase] = []
        there = any(part in phase for phase in phases)
        for phase in phases:
            rest = tuple(p for p in phase if p is not part)
            out += [rest] if rest else []
            out += [(part,)] if after in phase and there else []
        return out

    return _reorder(change)


def _first(part: Part) -> Rules:
    return _reorder(
        lambda phases: [(part,), *(tuple(p for p in s if p is not part) for s in phases)]
    )


def _publish_changes_only(batch: Batch) -> None:
    batch.republish.clear()
    _publish(batch)


def _delete_at_unlink(batch: Batch, arrival: Arrival) -> None:
    batch.context.pointers.forget(arrival.key)
    batch.handed_over[arrival.key] = (arrival.partition, None)  # type: ignore[assignment]


def _rule(of: type, rule: Callable[..., None]) -> Patch:
    """Another rule for a kind of record."""
    return dispatcher, "RULES", {**dispatcher.RULES, of: rule}


def _without_repeats(of: type) -> Patch:
    """Repeated records of a kind do nothing."""
    usual = dispatcher.RULES[of]

    def rule(batch: Batch, arrival: Arrival, record: Any) -> None:
        if arrival.fresh:
            usual(batch, arrival, record)

    return _rule(of, rule)


def _by_repeats_too(batch: Batch, arrival: Arrival) -> int | None:
    row = batch.row_of(arrival)
    batch.apply_pending_of(row)
    batch.renew([row])
    return _ready_row(batch, arrival)


def _open_empty(of: Views, row: int) -> dict[int, int]:
    if row not in of._views:
        of._views[row] = {}
        of.settle(row)
    return of._views[row]


def _own_rows_only(batch: Batch, rows: Any) -> None:
    batch.state_updater.renew(np.array(rows, np.int64))


def _roomy(window: int, capacity: int, bundle: int) -> slab.Slab:
    return _sim_slab(window, capacity + 8, bundle)


def _ignore(*args: Any) -> None:
    """Does nothing."""


def _forward_all(batch: Batch, arrival: Arrival, user: str, record: Any) -> None:
    _forward(batch, msgspec.structs.replace(arrival, fresh=True), user, record)


def _nobody(values: Any, renewal: Renewal, *args: Any) -> Found:
    return Found([], renewal.after, end=True)


def _never_everyone(stored: bytes | None, bundle: int) -> Renewal:
    found = _restore(stored, bundle)
    return replace(found, everyone=False)


def _only_the_tag(state_updater: StateUpdater, rows: Any) -> None:
    state_updater.slab.rows["bundle"][rows] = state_updater.slab.bundle


def _erased_only(batch: Batch, row: int, event: Event) -> str:
    """Sources that nobody may use are stored."""
    found = _objection(batch, row, event)
    return found if found == events.ERASED else ""


def _from_every_source(entries: Any, sources: int) -> Any:
    return entries


def _to_every_view(of: Views, row: int, platform: int, pending: Any, source_ms: int) -> None:
    for view in of.open(row).values():
        of._pending.repeat_last(pending, view)


def _adopt_all(batch: Batch, arrival: Arrival, row: int, record: Any) -> None:
    """Links and their histories are taken as of a user who wished nothing."""
    batch.views.open(row)
    adoption.adopt_unrestricted(batch, row, record)


def _sweep_once(batch: Batch, arrival: Arrival) -> None:
    row = batch.slab.find(arrival.key)
    if row is None or not batch.is_applied(row, arrival):
        _sweep(batch, arrival)


def _whole_history(slab: Any, *args: Any) -> Any:
    return StepColumns.empty()


def _publish_changed(publication: Publication, row: int, *, republish: bool) -> None:
    """A restricted user's vectors go out only where events changed them."""
    publication._views.refreshed.discard(row)
    _add(publication, row, republish=republish)


def _marks_first(batch: Batch, partitions: Any) -> None:
    _write_changelog(batch, partitions)
    for entries in batch.effects.changelog.values():
        entries.sort(key=lambda entry: not entry[0].startswith(PREFIX))


_publish, _write_changelog = dispatcher.publish, write_changelog
_objection, _sweep, _add = events.objection, erasure.sweep, Publication.add
_restore, _sim_slab = Renewal.restore, toy.sim_slab
_advance, _advance_all = Marks.advance, Marks.advance_all
_forward, _ready_row = Batch.forward, Batch.ready_row

MUTATIONS: dict[str, Mutation] = {
    "source marks": Mutation(
        ((Marks, "advance", _all_fresh), (Marks, "advance_all", _every_one_fresh)), seed=40
    ),
    "applied offset of each user": Mutation(
        ((RowProgress, "add", _ignore), (RowProgress, "add_all", _ignore)), seed=1400
    ),
    "changelog acknowledged before the commit": Mutation(rules=_first(Part.FINISH), seed=120),
    "changelog acknowledged before the store": Mutation(rules=_first(Part.STORE), seed=110),
    "forwards acknowledged before the changelog": Mutation(
        rules=_moved(Part.FORWARDS, Part.CHANGELOG), seed=250
    ),
    "vectors acknowledged before the commit": Mutation(
        rules=_moved(Part.VECTORS, Part.FINISH), seed=170
    ),
    "republication after a skipped event": Mutation(
        ((dispatcher, "publish", _publish_changes_only),)
    ),
    "users forgotten at revoke": Mutation(rules=Rules(forget_at_revoke=False), seed=130),
    "batches that wait are dropped at revoke": Mutation(rules=Rules(drop_at_revoke=False)),
    "fencing": Mutation(rules=Rules(fencing=False), seed=40),
    "one source position per forwarded record": Mutation(
        ((at_work, "Via", lambda topic, partition, offset, sub=0: Via(topic, partition, offset)),),
        seed=40,
    ),
    "repeats aren't forwarded": Mutation(((Batch, "forward", _forward_all),), seed=40),
    "former owners have the present one announce itself": Mutation((_rule(Announce, _ignore),)),
    "an unlinked id keeps its place in the log": Mutation(
        ((links, "unlink", _delete_at_unlink),), seed=30
    ),
    "states of another bundle are computed again": Mutation(
        ((StateUpdater, "renew", _only_the_tag),),
    ),
    "users without events come over to the bundle": Mutation(((updater, "next_users", _nobody),)),
    "bundles are swapped between batches": Mutation(rules=Rules(swap_between_batches=False)),
    "a bundle is declared before its vectors are out": Mutation(
        rules=_moved(Part.DECLARED, Part.VECTORS), seed=270
    ),
    "everyone is published after an unfinished change of bundle": Mutation(
        ((Renewal, "restore", _never_everyone),), seed=290
    ),
    "a renewal's vectors are out before the changelog says so": Mutation(
        rules=_moved(Part.VECTORS, Part.CHANGELOG), seed=90
    ),
    "marks of the erased": Mutation(
        tuple((of, "is_barred", lambda *_: False) for of in (events, adoption))
    ),
    "the erased are told to the keys of their local ids": Mutation(
        ((erasure, "_tell_local_ids", _ignore),)
    ),
    "a repeated order to forget takes the vector back again": Mutation(
        (_without_repeats(Forget),), seed=1960
    ),
    "the mark outlives the state": Mutation(
        ((slab, "encode_tail", lambda ids, _: encode_tail(ids)),)
    ),
    "dead letters are swept before the commit": Mutation(
        rules=_moved(Part.SWEEP, Part.FINISH), seed=1680
    ),
    "a dead letter is written once": Mutation(rules=Rules(look_up_letters=False)),
    "a letter that a clock decides is there before the log goes on": Mutation(
        rules=Rules(clock_letters_first=False), seed=50600
    ),
    "both sides of a forgotten link agree": Mutation(
        ((forgotten_ids, "tell_user", _ignore),), seed=120
    ),
    "an erasure that is read again sweeps again": Mutation(
        tuple((of, "sweep", _sweep_once) for of in (erasure, forgotten_ids))
    ),
    "sources that nobody may use aren't stored": Mutation(((events, "objection", _erased_only),)),
    "views are made of what they may use": Mutation(((views, "of_sources", _from_every_source),)),
    "views take the events of their sources only": Mutation(((Views, "add", _to_every_view),)),
    "adopted histories obey consent and erasure": Mutation(
        ((adoption, "adopt_restricted", _adopt_all),)
    ),
    "adopted histories have nothing of before an erasure": Mutation(
        ((histories, "cut_history", _whole_history),), seed=140
    ),
    "a change of consent publishes every target": Mutation(
        ((Publication, "add", _publish_changed),)
    ),
    "marks come last in the changelog": Mutation(((dispatcher, "write_changelog", _marks_first),)),
    "a repeated history publishes its user again": Mutation((_without_repeats(Adopt),), seed=600),
    "a repeated announcement publishes its id again": Mutation(
        (_without_repeats(Announce),), seed=1500
    ),
    "a repeat brings nobody over": Mutation(((Batch, "ready_row", _by_repeats_too),), seed=14000),
    "views are what was stored": Mutation(((Views, "open", _open_empty),)),
    "views come over with their user": Mutation(((Batch, "renew", _own_rows_only),), seed=600),
    "users are evicted where memory is full": Mutation(((toy, "sim_slab", _roomy),), seed=600),
    "fetching begins at what is committed": Mutation(rules=Rules(seek_at_assign=False)),
}
