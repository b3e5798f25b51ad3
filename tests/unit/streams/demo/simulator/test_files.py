from __future__ import annotations

import argparse
import json
from pathlib import Path

from streams.cli import simulate_events
from streams.demo.simulator.catalogue import items_by_id


def test_it_writes_events_and_items_that_agree(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    simulate_events.add_arguments(parser)
    out = tmp_path / "events"
    args = parser.parse_args(["--out", str(out), "--users", "20", "--days", "2"])
    assert simulate_events.run(args) == 0
    items = [json.loads(line) for line in (out / "items.jsonl").read_text().splitlines()]
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert {(i["platform"], i["item_id"]) for i in items} == set(items_by_id())
    assert all(i["title"] and i["category"] for i in items)
    assert len(events) > 100
    assert all((e["platform"], e["item_id"]) in items_by_id() for e in events)
    assert set(events[0]) == {"event_id", "user_id", "platform", "action", "item_id", "time"}
