"""Which new events may be ones that the window has already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.windows.slab import Slab
from streams.windows.step_columns import Groups, StepColumns


def maybe_repeated(slab: Slab, steps: StepColumns, groups: Groups) -> NDArray[np.bool_]:
    """Which steps have the identity of something in the ring or in the batch; [n].

    Only candidates: what has left the window by the time an event comes is no duplicate, and
    :func:`streams.windows.late_events.admit` knows when that is.
    """
    candidates = np.ones(len(steps), np.bool_)
    identity = (steps.row << 32) | steps.event
    candidates[np.unique(identity, return_index=True)[1]] = False
    known = slab.rows["ring"]["event"][steps.row[groups.start]]
    same = known.take(groups.of_step, axis=0) == steps.event.astype(np.uint32)[:, None]
    # Among many thousand hardly one is the same, which this sees much sooner than any(axis=1).
    candidates[np.flatnonzero(same) // slab.layout.window] = True
    return candidates
