"""In which order a batch's effects are done: data, that the worker executes.

A phase's parts are sent together; the next phase begins when all of it is acknowledged. The
worker (``streams.runtime.pipelines.update``) and the simulator (``tests/simulation``) run the
same phases, so what the simulator tries is what the worker does. The reasons are in
docs/guarantees.md; each has a test that breaks the order and loses or repeats something.
"""

from __future__ import annotations

from enum import Enum

from streams.effects.effects import Effects


class Part(Enum):
    """A part of a batch's effects."""

    DECLARED = "declared"
    """The changelog learns which bundle computes a partition from here on."""
    FORWARDS = "forwards"
    CHANGELOG = "changelog"
    DEAD_LETTERS = "dead_letters"
    VECTORS = "vectors"
    TOMBSTONES = "tombstones"
    SWEEP = "sweep"
    """Erased ids are taken out of the dead letters."""
    STORE = "store"
    """The local store is written: never before the changelog has what it holds."""
    FINISH = "finish"
    """The batch is finished, which allows the commit of its offsets."""


Phase = tuple[Part, ...]


def phases_of(effects: Effects) -> list[Phase]:
    """The phases of a batch, in order.

    Forwarded records come before the changelog, whose marks say that their originals were
    dealt with: after a crash between the two they are forwarded again from the same place of
    the log, and the receiver's marks tell them from new ones. What an erasure takes out of the dead
    letters is out before the batch may be committed: afterwards nobody would come back to it. That
    may take long and holds nobody else up: batches behind it go through all phases but the last.

    Which bundle computes is declared before a vector of it is out: so whoever comes back under
    another bundle knows that such vectors may stand. A renewal has no records that would be read
    again after a crash, so its vectors come before the changelog, which says that they are out.
    """
    first: list[Phase] = [(Part.DECLARED,)] if effects.declared else []
    first += [(Part.FORWARDS,)] if effects.forwards else []
    vectors = (Part.VECTORS, Part.TOMBSTONES)
    rest = (Part.CHANGELOG, Part.DEAD_LETTERS)
    sent = [vectors, rest] if effects.renewal else [(*rest, *vectors)]
    sweep: list[Phase] = [(Part.SWEEP,)] if effects.erased else []
    return [*first, *sent, (Part.STORE,), *sweep, (Part.FINISH,)]
