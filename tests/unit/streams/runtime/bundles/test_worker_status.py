"""What a worker says of itself is read, or nothing."""

from __future__ import annotations

import msgspec

from streams.runtime.bundles.worker_status import WorkerStatus, decode_status
from tests.unit.streams.runtime.fakes import DEEP


def test_a_status_that_cannot_be_read_is_none() -> None:
    said = WorkerStatus("w:1", "b", at_ms=5)
    assert decode_status(msgspec.json.encode(said)) == said
    year = b'{"worker": "w", "bundle": "b", "at_ms": %s}'
    for value in (b"{}", b"\xff", DEEP, year % (b"9" * 400), year % b"-1"):
        assert decode_status(value) is None
