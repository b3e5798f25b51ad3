"""Sources are sought to what is committed, once for each assignment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    LeaderNotAvailableError,
    TopicAuthorizationFailedError,
)

from streams.runtime.transport import positions
from streams.runtime.transport.positions import ends_of, seek
from tests.unit.streams.runtime.transport.fake_fetcher import LOG, OTHER, OWN, turns


async def test_seeking_goes_to_what_is_committed_and_else_to_the_beginning(consumer: Any) -> None:
    """Where nothing is committed the position must not stay where something moved it."""
    assignment = consumer.assign(OWN, OTHER, LOG)
    for tp in (OWN, OTHER, LOG):
        consumer.seek(tp, 9)
    consumer.committed = {OWN: 5}
    assert await seek(consumer, assignment, {"s"}) == {OWN: 5, OTHER: None}
    assert [consumer.position(tp) for tp in (OWN, OTHER, LOG)] == [5, 0, 9]
    assert set(consumer.asked) == {OWN, OTHER}


async def test_a_committed_zero_is_a_position(consumer: Any) -> None:
    assignment = consumer.assign(OWN)
    consumer.seek(OWN, 9)
    consumer.committed = {OWN: 0}
    assert await seek(consumer, assignment, {"s"}) == {OWN: 0}
    assert consumer.position(OWN) == 0


async def test_a_seek_that_a_rebalance_overtakes_moves_nothing(consumer: Any) -> None:
    old = consumer.assign(OWN)
    consumer.committed = {OWN: 5}
    under_way = asyncio.create_task(seek(consumer, old, {"s"}))
    await turns(lambda: bool(consumer.asked))
    consumer.assign(OWN)
    assert await under_way is None
    assert consumer.position(OWN) == 0


async def test_the_ends_of_the_sources_are_asked_for(consumer: Any) -> None:
    async def answer(timestamps: Any) -> Any:
        assert set(timestamps.values()) == {-1}
        return {tp: (7 + tp.partition, None) for tp in timestamps}

    assignment = consumer.assign(OWN, OTHER, LOG)
    consumer._fetcher._proc_offset_requests = answer
    assert await ends_of(consumer, assignment, {"s"}) == {OWN: 7, OTHER: 8}


@pytest.mark.parametrize("error", [LeaderNotAvailableError(), TopicAuthorizationFailedError("s")])
async def test_ends_that_nobody_tells_soon_arent_known(
    consumer: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(timestamps: Any) -> Any:
        raise error

    assignment = consumer.assign(OWN)
    consumer._fetcher._proc_offset_requests = refuse
    consumer._fetcher._client.force_metadata_update = lambda: None
    monkeypatch.setattr(positions, "ENDS_MS", 1)
    assert await ends_of(consumer, assignment, {"s"}) == {}
