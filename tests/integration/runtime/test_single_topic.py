"""One JSON topic for all targets, and a stop that leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from streams.subscribe.schema import decode
from tests.integration.runtime.conftest import PREFIX, Service, StartService, topics
from tests.workers import ROOT

SHARED = f"{PREFIX}.vectors"
FAUST = (str(Path(sys.executable).parent / "faust"), "-A", "streams.runtime.faust_app", "worker")


def uncommitted(bootstrap: str, names: list[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """(committed, end) of every partition that has records which aren't committed."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": PREFIX})
    try:
        places = [TopicPartition(name, p) for name in names for p in range(4)]
        found = {}
        for place in consumer.committed(places, timeout=10):
            end = consumer.get_watermark_offsets(place, timeout=10)[1]
            if end and place.offset != end:
                found[place.topic, place.partition] = (place.offset, end)
        return found
    finally:
        consumer.close()


def check_line(service: Service) -> None:
    """Events of two platforms reach all targets, on the one topic."""
    start = time.time_ns() // 1_000_000 - 1_000
    service.send("shop.links", "c-1", {"local_id": "c-1", "user_id": "ann"})
    service.send("shop.click", "c-1", {"item_id": "shop-1", "time": start})
    for number in range(20):
        event = {"item_id": f"video-{number}", "time": start + number}
        service.send("video.click", "ann", event)
    for target, identity in (("video", "ann"), ("news", "ann"), ("shop", "c-1")):
        key = f"{target}/{identity}"
        update = service.broker.until(service.broker.update(SHARED, key, 21), key)
        assert (update.target, update.id, update.user) == (target, identity, "ann")


def check_stop(service: Service) -> None:
    """SIGTERM ends it with 0 within 10 s, everything committed."""
    began = time.monotonic()
    assert service.worker.terminate(timeout_s=15) == 0, service.worker.log()[-4_000:]
    assert time.monotonic() - began < 10
    assert uncommitted(service.bootstrap, topics([])) == {}


def test_json_on_a_single_topic_then_sigterm(start_service: StartService) -> None:
    sections = {"output": {"topic": SHARED, "encoding": "json"}, "service": {"store": "memory"}}
    with start_service([SHARED], sections) as service:
        check_line(service)
        record = service.broker.last(SHARED, "shop/c-1")
        assert dict(record.headers)["content-type"] == b"application/json"
        value = json.loads(record.value)
        assert len(value["vector"]) == 16
        assert set(value["sources"]) == {"video", "shop"}
        assert decode(record.value, record.headers).bundle == value["bundle"]
        check_stop(service)
        assert " ERROR " not in service.worker.log()


def test_fausts_own_command_starts_it_too(start_service: StartService) -> None:
    sections = {"output": {"topic": SHARED}}
    with start_service([SHARED], sections, FAUST) as service:
        check_line(service)
        check_stop(service)
        assert "ONNX Runtime on" in service.worker.log()


def test_fausts_own_command_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_text('[[platforms]]\nname = "shop"\nids = "borrowed"')
    env = os.environ | {"INTEREST_STREAM_CONFIG": str(tmp_path / "worker.toml")}
    done = subprocess.run(FAUST, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "platforms[0].ids: 'borrowed' can't be used" in done.stderr
