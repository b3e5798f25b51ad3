"""Each protection, and how to switch it off: the simulator must then find a broken promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from streams.effects.effects import Effects
from streams.effects.order import Part, Phase, phases_of
from streams.identity import links, privacy_changes, views
from streams.identity.links import IdentityChanges
from streams.identity.privacy_changes import ERASED, PrivacyChanges
from streams.identity.views import SourceSets
from streams.inference.state_updater import StateUpdater
from streams.log.records import Adopt, Announce, Event, Via
from streams.publish.publication import Publication
from streams.update import updater
from streams.update.dispatcher import BatchRun
from streams.update.renewal import Found, Renewal
from streams.update.row_progress import RowProgress
from streams.update.source_marks import PREFIX, Marks
from streams.windows import slab
from streams.windows.step_columns import StepColumns
from streams.windows.stored_tail import encode_local_ids
from tests.simulation import toy
from tests.simulation.flight import Rules

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


def _publish_changes_only(run: BatchRun) -> None:
    run.republish.clear()
    _publish(run)


def _delete_at_unlink(changes: IdentityChanges, partition: int, offset: int, key: str) -> None:
    changes.pointers.forget(key)
    changes.replaced[key] = (partition, None)  # type: ignore[assignment]


def _without_repeats(of: type) -> Callable[..., None]:
    """Repeated records of a kind do nothing."""

    def record(run: BatchRun, partition: int, offset: int, key: str, one: Any, fresh: bool) -> None:
        if fresh or not isinstance(one, of):
            _record(run, partition, offset, key, one, fresh)

    return record


def _by_repeats_too(
    run: BatchRun, partition: int, offset: int, key: str, record: Any, fresh: bool
) -> None:
    if run.context.pointers.owner(key) is None:
        row = run._row(key, partition)
        run._apply_pending_of(row)
        run._renew([row])
    _about_a_user(run, partition, offset, key, record, fresh)


def _open_empty(sets: SourceSets, row: int) -> dict[int, int]:
    if row not in sets._views:
        sets._views[row] = {}
        sets.settle(row)
    return sets._views[row]


def _own_rows_only(run: BatchRun, rows: Any) -> None:
    run.state_updater.renew(np.array(rows, np.int64))


def _roomy(window: int, capacity: int, bundle: int) -> slab.Slab:
    return _sim_slab(window, capacity + 8, bundle)


def _ignore(*args: Any) -> None:
    """Does nothing."""


def _forward_all(
    run: BatchRun, partition: int, offset: int, user: str, event: Any, fresh: bool
) -> None:
    _forward(run, partition, offset, user, event, True)


def _nobody(values: Any, renewal: Renewal, *args: Any) -> Found:
    return Found([], renewal.after, end=True)


def _never_everyone(stored: bytes | None, bundle: int) -> Renewal:
    found = _restore(stored, bundle)
    return replace(found, everyone=False)


def _only_the_tag(state_updater: StateUpdater, rows: Any) -> None:
    state_updater._slab.rows["bundle"][rows] = state_updater._slab.bundle


def _every_event(changes: PrivacyChanges, row: int, event: Event) -> str:
    changes.sets.open(row)
    return ""


def _erased_only(changes: PrivacyChanges, row: int, event: Event) -> str:
    """Sources that nobody may use are stored."""
    found = _objection(changes, row, event)
    return found if found == ERASED else ""


def _from_every_source(entries: Any, sources: int) -> Any:
    return entries


def _to_every_view(sets: SourceSets, row: int, platform: int, pending: Any, source_ms: int) -> None:
    for view in sets.open(row).values():
        sets._pending.repeat_last(pending, view)


def _adopt_all(changes: PrivacyChanges, partition: int, offset: int, row: int, record: Any) -> None:
    """Links and their histories are taken as of a user who wished nothing."""
    changes.sets.open(row)
    changes.identity.adopt(row, record)


def _keep_the_history(changes: PrivacyChanges, row: int) -> None:
    """A set's row stays as it is when the set loses sources."""


def _forget_once(run: BatchRun, partition: int, offset: int, key: str, record: Any,
                 fresh: bool) -> None:  # fmt: skip
    if fresh:
        _forget(run, partition, offset, key, record, fresh)


def _forget_alone(
    changes: PrivacyChanges, partition: int, offset: int, key: str, record: Any
) -> None:
    before = len(changes.effects.forwards)
    _forget_id(changes, partition, offset, key, record)
    del changes.effects.forwards[before:]


def _whole_history(slab: Any, *args: Any) -> Any:
    return StepColumns.empty()


def _publish_again(stored: Publication, row: int, *, again: bool) -> None:
    """A restricted user's vectors go out only where events changed them."""
    stored._sets.refreshed.discard(row)
    _add(stored, row, again=again)


def _marks_first(run: BatchRun, batches: Any) -> None:
    _write_changelog(run, batches)
    for entries in run.effects.changelog.values():
        entries.sort(key=lambda entry: not entry[0].startswith(PREFIX))


_forget_id = PrivacyChanges.forget
_write_changelog, _record, _erase = (
    BatchRun._write_changelog,
    BatchRun._record,
    PrivacyChanges.erase,
)
_objection, _forget, _add = PrivacyChanges.objection, BatchRun._forget, Publication.add
_restore, _sim_slab = Renewal.restore, toy.sim_slab
_advance, _publish, _forward = Marks.advance, BatchRun._publish, BatchRun._forward
_advance_all, _about_a_user = Marks.advance_all, BatchRun._about_a_user

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
        ((BatchRun, "_publish", _publish_changes_only),)
    ),
    "users forgotten at revoke": Mutation(rules=Rules(forget_at_revoke=False), seed=130),
    "batches that wait are dropped at revoke": Mutation(rules=Rules(drop_at_revoke=False)),
    "fencing": Mutation(rules=Rules(fencing=False), seed=40),
    "one source position per forwarded record": Mutation(
        ((links, "Via", lambda topic, partition, offset, sub=0: Via(topic, partition, offset)),),
        seed=40,
    ),
    "repeats aren't forwarded": Mutation(((BatchRun, "_forward", _forward_all),), seed=40),
    "former owners have the present one announce itself": Mutation(
        ((BatchRun, "_announce", _ignore),)
    ),
    "an unlinked id keeps its place in the log": Mutation(
        ((IdentityChanges, "_unlink", _delete_at_unlink),), seed=30
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
    "marks of the erased": Mutation(((privacy_changes, "is_barred", lambda *_: False),)),
    "the erased are told to the keys of their local ids": Mutation(
        ((PrivacyChanges, "_forget_local_ids", _ignore),)
    ),
    "a repeated order to forget takes the vector back again": Mutation(
        ((BatchRun, "_forget", _forget_once),), seed=1960
    ),
    "the mark outlives the state": Mutation(
        ((slab, "encode_tail", lambda ids, _: encode_local_ids(ids)),)
    ),
    "dead letters are swept before the commit": Mutation(
        rules=_moved(Part.SWEEP, Part.FINISH), seed=1680
    ),
    "a dead letter is written once": Mutation(rules=Rules(look_up_letters=False)),
    "a letter that a clock decides is there before the log goes on": Mutation(
        rules=Rules(clock_letters_first=False), seed=50600
    ),
    "both sides of a forgotten link agree": Mutation(
        ((PrivacyChanges, "forget", _forget_alone),), seed=120
    ),
    "an erasure that is read again sweeps again": Mutation(
        ((PrivacyChanges, "sweep_again", _ignore),)
    ),
    "sources that nobody may use aren't stored": Mutation(
        ((PrivacyChanges, "objection", _erased_only),)
    ),
    "views are made of what they may use": Mutation(((views, "of_sources", _from_every_source),)),
    "views take the events of their sources only": Mutation(((SourceSets, "add", _to_every_view),)),
    "adopted histories obey consent and erasure": Mutation(
        ((PrivacyChanges, "adopt", _adopt_all),)
    ),
    "adopted histories have nothing of before an erasure": Mutation(
        ((links, "cut_history", _whole_history),), seed=140
    ),
    "a change of consent publishes every target": Mutation(((Publication, "add", _publish_again),)),
    "marks come last in the changelog": Mutation(((BatchRun, "_write_changelog", _marks_first),)),
    "a repeated history publishes its user again": Mutation(
        ((BatchRun, "_record", _without_repeats(Adopt)),), seed=600
    ),
    "a repeated announcement publishes its id again": Mutation(
        ((BatchRun, "_record", _without_repeats(Announce)),), seed=1500
    ),
    "a repeat brings nobody over": Mutation(
        ((BatchRun, "_about_a_user", _by_repeats_too),), seed=14000
    ),
    "views are what was stored": Mutation(((SourceSets, "open", _open_empty),)),
    "views come over with their user": Mutation(((BatchRun, "_renew", _own_rows_only),), seed=600),
    "users are evicted where memory is full": Mutation(((toy, "sim_slab", _roomy),), seed=600),
    "fetching begins at what is committed": Mutation(rules=Rules(seek_at_assign=False)),
}
