"""A consumer on a fetcher without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.streams.runtime.transport.fake_fetcher import Consumer


@pytest.fixture
async def consumer() -> AsyncIterator[Any]:
    made = Consumer()
    yield made
    await made._fetcher.close()
