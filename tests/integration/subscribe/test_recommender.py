"""The example, run as a reader would: as a process, asked over HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from streams.demo.broker import EmbeddedBroker
from streams.subscribe.ranking import ItemRanking
from tests.bundles import make_tiny_bundle
from tests.integration.subscribe.publisher import Publisher

EXAMPLE = Path(__file__).parents[3] / "examples" / "recommender.py"


def get(address: str) -> object:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def test_the_example_is_under_60_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 60


def test_it_serves_the_best_items_of_the_latest_vector(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    topic = "interest.vectors.shop"
    embedded_broker.create_topics([topic])
    items = ItemRanking.load(make_tiny_bundle(tmp_path / "bundle"), "shop")
    publisher = Publisher(embedded_broker.bootstrap, topic, bundle=items.bundle_id)
    publisher.publish(["ann"], 1.0, width=items.vectors.shape[1])
    publisher.publish(["ann"], -1.0, width=items.vectors.shape[1])
    arguments = ["--broker", embedded_broker.bootstrap, "--embedded", "--port", "0"]
    command = [sys.executable, str(EXAMPLE), "shop", str(tmp_path / "bundle"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=EXAMPLE.parents[1]) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            found = re.fullmatch(r"1 users, (http://\S+)\n", line)
            assert found, line
            served = get(f"{found[1]}/recommendations/ann?k=3")
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(f"{found[1]}/recommendations/bob")
        finally:
            process.kill()
    publisher.close()
    wanted = items.top(np.full(items.vectors.shape[1], -1.0, np.float32), 3)
    assert served == [item._asdict() for item in wanted]
