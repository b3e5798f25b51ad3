"""What ``interest-stream watch`` prints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streams.cli import watch
from streams.subscribe import lines
from streams.subscribe.feed import InterestFeed
from streams.subscribe.ranking import ItemRanking
from streams.subscribe.schema import InterestUpdate, Tombstone
from tests.bundles import make_tiny_bundle


def update(id: str = "ann", bundle: str = "b1", width: int = 16) -> InterestUpdate:
    return InterestUpdate(
        id, "shop", id, 0, bundle, 7, {"news": 0.25, "video": 0.75},
        np.linspace(-1, 1, width, dtype=np.float32), 45_296_034, 45_296_000,
    )  # fmt: skip


def test_a_line_says_who_how_much_how_fast_from_where() -> None:
    line = lines.as_line(update(), None, None)
    assert line.startswith("12:34:56  ann ")
    assert "7 events" in line
    assert "34 ms  video 75% news 25%  ->  [-1.00 -0.87 " in line
    assert line.endswith("… 16 numbers]")


def test_an_unknown_source_time_is_no_latency_of_decades() -> None:
    entry = msgspec.structs.replace(update(), event_ts_ms=0)
    assert "    ? ms" in lines.as_line(entry, None, None)


def test_lines_fit_a_narrow_terminal() -> None:
    assert len(lines.as_line(update(), None, 40)) == 40
    assert lines.as_line(Tombstone("ann", "shop"), None, 80).split() == ["ann", "withdrawn"]


def test_with_a_bundle_it_prints_titles(tmp_path: Path) -> None:
    items = ItemRanking.load(make_tiny_bundle(tmp_path / "bundle"), "shop")
    entry = update(bundle=items.bundle_id, width=items.vectors.shape[1])
    titles = [item.title for item in items.top(entry.vector, 3)]
    assert lines.as_line(entry, items, None).endswith(" | ".join(titles))
    assert "vector of bundle other" in lines.as_line(update(bundle="other"), items, None)


def test_json_is_one_whole_object_a_line() -> None:
    fields = json.loads(lines.as_json(update()))
    assert fields["sources"] == {"news": 0.25, "video": 0.75}
    assert len(fields["vector"]) == 16
    assert json.loads(lines.as_json(Tombstone("ann", "shop")))["vector"] is None


def test_choosing_by_id_and_number() -> None:
    entries: list[InterestUpdate | Tombstone]
    entries = [update("ann"), update("bob"), Tombstone("ann", "shop"), update("ann")]
    assert [entry.id for entry in lines.chosen(entries, None, 2)] == ["ann", "bob"]
    assert len(list(lines.chosen(entries, "ann", None))) == 3
    assert list(lines.chosen(entries, None, 0)) == []


def test_the_command_watches_until_the_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    class Feed:
        def __init__(self, broker: str, target: str, **options: Any) -> None:
            seen.update(options, broker=broker, target=target)

        __enter__ = InterestFeed.__iter__

        def __exit__(self, *_: object) -> None:
            seen["closed"] = True

        def __iter__(self) -> Any:
            return iter([update("ann"), update("bob"), update("eve")])

    monkeypatch.setattr(watch, "InterestFeed", Feed)
    parser = argparse.ArgumentParser()
    watch.add_arguments(parser)
    assert watch.run(parser.parse_args(["shop", "--broker", "b:1", "--count", "2"])) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["ann", "bob"]
    assert seen == {
        "broker": "b:1", "target": "shop", "topic": "interest.vectors.{target}",
        "catch_up": False, "closed": True,
    }  # fmt: skip
