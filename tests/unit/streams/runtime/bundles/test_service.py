"""What follows the announcements: retries, and users who come over at the rate that is allowed."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.metrics.metrics import Metrics
from streams.runtime.bundles.service import RETRY_S, BundleService


class Background(BundleService):
    """A follower whose clock is the test's."""

    def __init__(self, rate: float, users: int, each_s: float) -> None:
        self.now, self.left, self.each_s = 0.0, users, each_s
        self.moved: list[tuple[float, int]] = []
        app = SimpleNamespace(
            settings=SimpleNamespace(
                bundles=SimpleNamespace(rebuild_users_s=rate), http=SimpleNamespace(port=1)
            ),
            metrics=Metrics(process=False),
        )
        update: Any = SimpleNamespace(between=self.between, renew=self.renew)
        nothing: Any = None
        super().__init__(cast(Any, app), nothing, {}, nothing, update, nothing, nothing)

    async def between(self, work: Callable[[], Any]) -> bool:
        work()
        return True

    def renew(self, partitions: list[int], users: int) -> None:
        assert partitions == [3]
        self.moved.append((self.now, users))
        self.left -= users
        self.now += users * self.each_s

    def rebuilding(self) -> list[int]:
        return [3] if self.left > 0 else []

    async def sleep(self, seconds: Any) -> None:
        self.now += seconds
        if self.left <= 0:
            self._stopped.set()


class Follower(BundleService):
    """One that finds the items' topics out of reach at first."""

    def __init__(self, failures: int) -> None:
        self.failures, self.looks, self.slept = failures, 0, 0.0
        app = SimpleNamespace(settings=SimpleNamespace(http=SimpleNamespace(port=1)))
        nothing: Any = None
        super().__init__(cast(Any, app), nothing, {}, nothing, nothing, nothing, nothing)
        self._consumer = SimpleNamespace(getmany=self.nothing)

    async def nothing(self, timeout_ms: int) -> dict[Any, Any]:
        return {}

    async def _consider(self, *, announced: bool) -> None:
        self.looks += 1
        if self.looks <= self.failures:
            raise KafkaConnectionError

    async def _consider_shadow(self) -> None:
        """Nothing."""

    async def _report(self) -> None:
        if self.looks > self.failures:
            self._stopped.set()

    async def sleep(self, seconds: Any) -> None:
        self.slept += seconds


async def test_items_that_cannot_be_read_for_another_bundle_are_asked_for_again() -> None:
    follower = Follower(failures=2)
    await follower._follow.fun(follower)
    assert (follower.looks, follower.slept) == (3, 2 * RETRY_S)


@pytest.mark.parametrize(("rate", "users"), [(200.0, 2_000), (3.0, 9), (5_000.0, 20_000)])
@pytest.mark.parametrize("each_s", [0.0, 0.0005, 0.01])
async def test_users_come_over_at_the_rate_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, rate: float, users: int, each_s: float
) -> None:
    background = Background(rate, users, each_s)
    monkeypatch.setattr(time, "monotonic", lambda: background.now)
    await background._rebuild.fun(background)
    at_once = max(count for _, count in background.moved)
    assert at_once <= max(1, rate / 2)  # other batches get their turn
    so_far = 0
    for when, count in background.moved:
        so_far += count
        assert so_far <= rate * when + at_once + 1
    assert so_far >= users
    assert background.now <= max(users / rate, users * each_s) * 1.2 + 2  # and no slower
