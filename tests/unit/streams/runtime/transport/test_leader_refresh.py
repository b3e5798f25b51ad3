"""When a consumer looks for leaders anew; on a real cluster: ``tests/kafka/test_leaders.py``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import aiokafka
import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from streams.runtime.transport.leader_refresh import Consumer, follow_leaders


class Fetcher:
    """Tells offsets, or refuses."""

    def __init__(self, refusal: KafkaError | None) -> None:
        self._refusal = refusal

    async def _proc_offset_request(self, node_id: int, topics: Any) -> Any:
        if self._refusal is not None:
            raise self._refusal
        return node_id, topics


def consumer(refusal: KafkaError | None, looks: list[str]) -> aiokafka.AIOKafkaConsumer:
    client = SimpleNamespace(force_metadata_update=lambda: looks.append("look"))
    made = SimpleNamespace(_fetcher=Fetcher(refusal), _client=client)
    return cast(aiokafka.AIOKafkaConsumer, made)


@pytest.mark.parametrize(
    ("refusal", "count"),
    [
        (NotLeaderForPartitionError(), 1),
        (UnknownTopicOrPartitionError(), 1),
        (TopicAuthorizationFailedError(), 0),
    ],
)
async def test_a_broker_that_leads_no_more_has_the_leaders_looked_up(
    refusal: KafkaError, count: int
) -> None:
    looks: list[str] = []
    made = consumer(refusal, looks)
    follow_leaders(made)
    with pytest.raises(type(refusal)):
        await made._fetcher._proc_offset_request(3, {})
    assert len(looks) == count


async def test_an_answer_is_handed_on() -> None:
    looks: list[str] = []
    made = consumer(None, looks)
    follow_leaders(made)
    assert await made._fetcher._proc_offset_request(3, {"t": [(0, -2)]}) == (3, {"t": [(0, -2)]})
    assert looks == []


async def test_a_consumer_that_cannot_connect_is_closed() -> None:
    made = Consumer(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(KafkaConnectionError):
        await made.start()
    assert made._closed
