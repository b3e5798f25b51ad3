"""A pipeline that writes down what happens, stopped after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.streams.runtime.recorder import Recorder


@pytest.fixture
async def pipeline() -> AsyncIterator[Recorder]:
    made = Recorder()
    yield made
    made.gate.set()
    if made.started:
        await made.stop()
