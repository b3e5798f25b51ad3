"""What is deleted after a run is what the run made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.bench.race.broker import Topics


def test_the_brokers_own_topics_are_nobodys_to_delete() -> None:
    made = ["ours-1.events", "changelog__quix-2--quix-2.events--default"]
    there = [*made, "__consumer_offsets", "__transaction_state", "__share_group_state"]
    topics: Any = Topics.__new__(Topics)
    topics._admin = SimpleNamespace(
        list_topics=lambda timeout: SimpleNamespace(topics=dict.fromkeys(there))
    )
    assert topics.names() == set(made)
