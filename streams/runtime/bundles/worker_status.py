"""What each worker says on the status topic."""

from __future__ import annotations

from typing import Annotated

import msgspec

from streams.intake.decode import DECODE_ERRORS


class WorkerStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one worker says on the status topic, under its name.

    Attributes:
        worker: ``host:port`` of its web server.
        bundle: id of the bundle that it computes with.
        shadow: id of the bundle that it compares.
        refused: id of the announced bundle that it doesn't take.
        why: the reason.
        rebuilding: partitions that have users of another bundle left.
        at_ms: when it said so.
        quality: hit rates and reciprocal ranks, as the web server has them.
    """

    worker: str
    bundle: str
    shadow: str = ""
    refused: str = ""
    why: str = ""
    rebuilding: tuple[int, ...] = ()
    at_ms: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0
    quality: tuple[dict[str, str | float], ...] = ()


_status_decoder = msgspec.json.Decoder(WorkerStatus)


def decode_status(value: bytes) -> WorkerStatus | None:
    """What a worker said; None where this version can't read it."""
    try:
        return _status_decoder.decode(value)
    except DECODE_ERRORS:
        return None
