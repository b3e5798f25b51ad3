"""The users of a batch come into memory: from the store, all at once.

Kafka and RocksDB have checksums, so a stored value that can't be read was written so. Its user
begins from nothing, and nothing may be used of them until a consent record says so: whether they
had allowed everything, or had been erased, was in the lost value too. Values of another version,
or of more platforms than the bundle has, aren't damaged: they mean that the wrong version runs,
and end the worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from streams.effects.effects import LogBatch, Refused
from streams.errors import DamagedError
from streams.update.batch import Batch
from streams.update.context import is_key
from streams.update.plain_path import NOWHERE
from streams.update.records.consent import set_consent
from streams.windows.slab import Rows
from streams.windows.stored_value import decode_pointer

STORED_VALUE: Final = "stored_value"
"""Why a dead letter: the value under a key of the state table can't be read."""


def load_users(batch: Batch, log_batch: LogBatch) -> tuple[list[str] | None, Rows]:
    """Fetch the users of a log batch from the store at once.

    Returns:
        The keys as texts, None where one isn't, and the row of each; ``NOWHERE`` where it has
        none.

    Raises:
        SlabFullError: more users at once than the slab holds.
        StateError: a stored value is of another version.
    """
    slab, keys = batch.slab, _texts(log_batch.keys)
    wanted = keys or [key.decode(errors="replace") for key in log_batch.keys if key]
    rows = slab.find_all(wanted, NOWHERE)
    absent = np.flatnonzero(rows == NOWHERE)
    # Touched before anything is inserted, so that nobody of this batch is evicted.
    slab.touch(np.delete(rows, absent) if len(absent) else rows)
    if len(absent):
        absent_keys = [wanted[i] for i in absent.tolist()]
        _fetch(batch, log_batch, dict.fromkeys(absent_keys))
        rows[absent] = slab.find_all(absent_keys, NOWHERE)
    return keys, rows


def _texts(keys: Sequence[bytes | None]) -> list[str] | None:
    try:
        return list(map(bytes.decode, keys))  # type: ignore[arg-type]
    except (TypeError, UnicodeDecodeError):
        return None


def _fetch(batch: Batch, log_batch: LogBatch, keys: Iterable[str]) -> None:
    """Give users a row who have none, from what is stored of them; pointers are kept."""
    slab, known, partition = batch.slab, batch.context.pointers, log_batch.partition
    missing = [key for key in keys if key not in known and is_key(key)]
    values = batch.store.get_many(partition, missing)
    for index in slab.insert_many(missing, partition, values):
        key, value = missing[index], values[index]
        try:
            user = decode_pointer(value) if value else None
            if user is None:
                slab.insert(key, partition, value)
            else:
                known.set(key, user)
        except DamagedError as error:
            row = slab.insert(key, partition, None)
            set_consent(batch, row, allow=True, pairs=())  # nothing but these: nothing
            batch.effects.refused.append(_unreadable(log_batch, key, value or b"", error))


def _unreadable(log_batch: LogBatch, key: str, value: bytes, error: DamagedError) -> Refused:
    """The dead letter of a stored value; its offset is that of the first record that needed it."""
    raw = key.encode()
    index = log_batch.keys.index(raw) if raw in log_batch.keys else -1
    offset = log_batch.offsets[index] if 0 <= index < len(log_batch.offsets) else -1
    return Refused(
        log_batch.partition, offset, raw, value, STORED_VALUE, "stored value", str(error),
        "nothing is kept of this key from before; send the user's consent, and the link if it "
        "is a local id's",
    )  # fmt: skip
