"""The update: log batches in, effects out. No I/O but reads of the store that is given.

events → windows → steps → vectors, for all partitions of a fetch together:

1. decode, follow pointers, tell repeats from news (``marks``);
2. place events in their users' windows (``window``), going back where one came late;
3. advance the states in waves (``waves``);
4. migrate the changed states, and say what must be written where (``effects``).

Records that change who a user is (links) are applied between the events around them, so the
order of the log is the order of the world.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.interest.batch import BatchRun
from streams.interest.effects import Effects, LogBatch
from streams.interest.world import Model, Reader, World

__all__ = ["Model", "Reader", "Updater"]


class Updater(World):
    """Applies log batches to the users of the assigned partitions."""

    def process(self, batches: Sequence[LogBatch], store: Reader) -> Effects:
        """Apply batches; the slab then holds what ``effects`` says to write.

        Raises:
            SlabFullError: more users at once than the slab holds.
            StateError: a stored value can't be read.
        """
        return BatchRun(self, store).run(batches)
