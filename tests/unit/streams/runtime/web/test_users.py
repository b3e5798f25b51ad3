"""The answers to questions about one user, wherever the user is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.log.partition import partition_of
from streams.runtime.web.access import Access
from streams.runtime.web.users import UserAnswers
from streams.windows.stored_value import encode_pointer
from tests.unit.streams.runtime.web.fake_view import FakeView
from tests.unit.streams.toy import DAY_MS, LOG, START_MS, batch, event, toy_updater

PARTITIONS = 4


class FakeApp(SimpleNamespace):
    """An app with a real update in memory and a dictionary for a store."""

    def __init__(self) -> None:
        super().__init__(
            settings=SimpleNamespace(events=SimpleNamespace(topic=LOG, partitions=PARTITIONS)),
            progress=SimpleNamespace(ready=True),
            updater=toy_updater(8),
            values={},
            own={0, 1, 2, 3},
            owners={},
            users=SimpleNamespace(changelog_topic_name="states"),
            bundle=SimpleNamespace(
                bundle_id="b1",
                contract=SimpleNamespace(actions=("browse", "click", "purchase")),
            ),
        )
        self.router = SimpleNamespace(tables_metadata=lambda: self.owners)

    def own_partitions(self) -> list[int]:
        return sorted(self.own)

    def store(self) -> Any:
        return self

    def get_many(self, partition: int, keys: list[str]) -> list[bytes | None]:
        values: dict[tuple[int, str], bytes] = self.values
        return [values.get((partition, key)) for key in keys]

    def ask(self, key: str) -> tuple[int, Any]:
        users = UserAnswers(cast(Any, self), self.progress, Access("127.0.0.1", ""))
        answer = users.answer(cast(Any, FakeView()), cast(Any, SimpleNamespace(headers={})), key)
        return cast(tuple[int, Any], answer)

    def click(self, key: str, **more: Any) -> None:
        partition = partition_of(key.encode(), PARTITIONS)
        records = [(key, event(START_MS, offset=0, **more))]
        self.updater.process([batch(partition, 0, records)], self)


@pytest.fixture
def app() -> FakeApp:
    return FakeApp()


def test_a_user_in_memory_is_described(app: FakeApp) -> None:
    app.click("u/ann", item="i3", platform="shop")
    status, body = app.ask("u/ann")
    assert (status, body["bundle"], body["events"]) == (200, "b1", 1)
    assert body["events_by_platform"] == {"video": 0, "shop": 1, "news": 0}
    assert [entry["item_id"] for entry in body["window"]] == ["i3"]
    assert body["as_of_ms"] == START_MS
    assert body["state_age_s"] > DAY_MS / 1000
    assert all(vector["sources"] == {"shop": 1.0} for vector in body["vectors"])


def test_a_user_in_the_store_is_read_from_there(app: FakeApp) -> None:
    app.click("u/ann")
    row = app.updater.slab.find("u/ann")
    partition = partition_of(b"u/ann", PARTITIONS)
    app.values[partition, "u/ann"] = app.updater.slab.value(row)
    app.updater.release()
    status, body = app.ask("u/ann")
    assert (status, body["events"]) == (200, 1)


def test_nobody_is_404(app: FakeApp) -> None:
    assert app.ask("u/nobody")[0] == 404


def test_a_linked_local_id_says_whose_it_is(app: FakeApp) -> None:
    partition = partition_of(b"l/shop/c-1", PARTITIONS)
    app.values[partition, "l/shop/c-1"] = encode_pointer("ann")
    assert app.ask("l/shop/c-1") == (200, {"user_id": "ann", "see": "/users/ann"})


def test_before_it_is_ready_it_says_so(app: FakeApp) -> None:
    app.progress.ready = False
    assert app.ask("u/ann")[0] == 503


def test_another_workers_user_is_there(app: FakeApp) -> None:
    app.own = set()
    partition = partition_of(b"u/ann", PARTITIONS)
    app.owners = {"http://b:6066": {"states": [partition]}, "http://c:6066": {"states": [9]}}
    status, body = app.ask("u/ann")
    assert status == 421
    assert f"partition {partition} is at http://b:6066" in body["error"]
    app.owners = {}
    assert app.ask("u/ann")[0] == 503
