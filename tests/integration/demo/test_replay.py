from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from streams.cli import replay, simulate_events
from streams.demo.broker import EmbeddedBroker
from streams.demo.replay import ReplayError
from streams.demo.simulator.catalogue import items_by_id


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    parser = argparse.ArgumentParser()
    simulate_events.add_arguments(parser)
    simulate_events.run(parser.parse_args(["--out", str(tmp_path), "--users", "20", "--days", "2"]))
    return tmp_path


def test_every_event_and_item_arrives_and_is_counted(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (data / "events.jsonl").read_text().splitlines()
    wanted = [json.loads(line) for line in lines]
    with EmbeddedBroker() as broker:
        topics = {f"{e['platform']}.{e['action']}" for e in wanted}
        broker.create_topics([*topics, "video.items", "shop.items", "news.items"])
        assert replay.run(parse(str(data), "--broker", broker.bootstrap)) == 0
        sent = {topic: sum(broker.end_offsets(topic)) for topic in broker.topics()}
    for topic in topics:
        assert sent[topic] == sum(f"{e['platform']}.{e['action']}" == topic for e in wanted)
    assert sum(sent[f"{p}.items"] for p in ("video", "shop", "news")) == len(items_by_id())
    assert f"{len(wanted):,} events in " in capsys.readouterr().out


def test_a_config_says_topics_and_broker(data: Path, tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        names = ["video", "shop", "news"]
        broker.create_topics([f"all-{n}" for n in names] + [f"{n}.items" for n in names])
        platforms = "".join(
            f'[[platforms]]\nname = "{n}"\ntopics = {{ any = "all-{n}" }}\n' for n in names
        )
        config = tmp_path / "worker.toml"
        config.write_text(f'[kafka]\nbootstrap = ["{broker.bootstrap}"]\n{platforms}')
        assert replay.run(parse(str(data), "--config", str(config))) == 0
        total = sum(sum(broker.end_offsets(f"all-{n}")) for n in names)
    assert total == len((data / "events.jsonl").read_text().splitlines())


def test_without_a_broker_it_says_how_to_name_one(data: Path) -> None:
    with pytest.raises(ReplayError, match="give --broker"):
        replay.run(parse(str(data)))
