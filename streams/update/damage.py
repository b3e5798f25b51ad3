"""What happens where stored bytes are damaged: one user's affair, said in a dead letter.

Kafka and RocksDB have checksums, so what arrives here damaged was written so. A user whose value
can't be read begins from nothing, and nothing may be used of them until a consent record says
so: whether they had allowed everything, or had been erased, was in the lost value too. An
adopted history that can't be read is left out. Values of another version, or of more platforms
than the bundle has, aren't damaged: they mean that the wrong version runs, and end the worker.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.effects.effects import LogBatch, Refused
from streams.errors import DamagedError
from streams.log.keys import stable_hash
from streams.log.records import Adopt, Consent, Via
from streams.windows.layout import Layout
from streams.windows.stored_value import decode_value

STORED_VALUE: Final = "stored_value"
"""Why a letter: the value under a key of the state table can't be read."""
ADOPTED: Final = "adopted_history"
"""Why a letter: the history that came with a link can't be read."""
BAD_VECTOR: Final = "bad_vector"
"""Why a letter: a vector isn't finite in float16, and isn't published."""

NOTHING_ALLOWED: Final = Consent(Via("", -1, -1), allow=True, pairs=(), source_ms=0)


def unreadable_value(batch: LogBatch, key: str, value: bytes, error: DamagedError) -> Refused:
    """The letter of a stored value; its place is that of the first record that needed it."""
    name = key.encode()
    place = batch.keys.index(name) if name in batch.keys else -1
    offset = batch.offsets[place] if 0 <= place < len(batch.offsets) else -1
    return Refused(
        batch.partition, offset, name, value, STORED_VALUE, "stored value", str(error),
        "nothing is kept of this key from before; send the user's consent, and the link if it "
        "is a local id's",
    )  # fmt: skip


def unusable_vector(partition: int, target: str, identity: str) -> Refused:
    """The letter of a vector that isn't finite; its offset is below 0, and of its id alone."""
    offset = -1 - (stable_hash(f"{target}/{identity}") >> 2)
    return Refused(
        partition, offset, identity.encode(), None, BAD_VECTOR, f"vector for {target}",
        "it isn't finite in float16, so the id keeps the vector that it has",
        "export the bundle again from a model that passes its evaluation",
    )  # fmt: skip


def check_adopted(layout: Layout, record: Adopt) -> DamagedError | None:
    """Why the history of a record can't be read; None where it can, or there is none."""
    if record.state:
        try:
            decode_value(layout, record.state)
        except DamagedError as error:
            return error
    return None


def without_history(record: Adopt) -> Adopt:
    """The same record of a local id without a history."""
    return msgspec.structs.replace(record, state=b"")
