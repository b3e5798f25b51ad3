"""What a batch writes into the changelog: its users, then the marks of its partitions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.update.batch import Batch


def write_changelog(batch: Batch, partitions: Iterable[int]) -> None:
    """Put the table entries of a batch into its effects.

    Args:
        batch: everything of it is applied.
        partitions: those of the log that it read.
    """
    slab, changelog, progress = batch.slab, batch.effects.changelog, batch.progress
    context = batch.context
    for partition in partitions:
        changelog.setdefault(partition, [])
        if declared := context.declare_bundle(partition, batch.store):
            batch.effects.declared[partition] = declared
    batch.views.close()
    changed = batch.changed()
    rows = np.array(sorted(changed), np.int64)
    seen = rows[progress.end[rows] > 0]
    slab.rows["applied"][seen] = progress.end[seen] - 1
    columns = zip(rows.tolist(), slab.partitions[rows].tolist(), slab.values(rows), strict=True)
    for row, partition, value in columns:
        key = slab.keys[row]
        assert key is not None
        changelog[partition].append((key, value))
    for key, (partition, value) in batch.handed_over.items():
        if slab.find(key) not in changed:  # else somebody new came since
            changelog[partition].append((key, value))
    for partition, entries in changelog.items():
        entries.extend(context.partition_changes(partition, batch.store))
    batch.counts.users = len(changed)
