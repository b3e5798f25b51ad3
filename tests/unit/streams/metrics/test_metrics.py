"""Names, units, batch increments, and series that go with their partition."""

from __future__ import annotations

from collections import Counter

from streams.metrics.metrics import Metrics
from streams.metrics.registry import add


def test_every_name_is_prefixed_documented_and_in_base_units() -> None:
    entries = Metrics(process=False).reference()
    assert len({entry.name for entry in entries}) == len(entries) > 25
    for entry in entries:
        assert entry.name.startswith("interest_")
        assert entry.documentation.endswith(".")
        assert entry.name.endswith("_total") == (entry.type == "counter"), entry
        assert not entry.name.endswith(("_ms", "_milliseconds", "_kb", "_mb", "_ratio"))


def test_every_name_is_in_the_scrape_before_the_first_event() -> None:
    metrics = Metrics(process=False)
    text = metrics.exposition().decode()
    for entry in metrics.reference():
        assert f"# TYPE {entry.name} {entry.type}\n" in text
    assert "_created" not in text


def test_process_metrics_are_there() -> None:
    assert b"process_resident_memory_bytes" in Metrics().exposition()


def test_a_batch_is_added_at_once() -> None:
    metrics = Metrics(process=False)
    add(metrics.events_read, Counter({("shop", "click"): 3, ("news", "browse"): 1}))
    add(metrics.dead_letters, {"invalid_json": 2})
    value = metrics.registry.get_sample_value
    labels = {"platform": "shop", "action": "click"}
    assert value("interest_events_read_total", labels) == 3
    assert value("interest_dead_letters_total", {"reason": "invalid_json"}) == 2


def test_known_labels_start_at_zero() -> None:
    metrics = Metrics(process=False)
    metrics.declare(["shop", "news"], ["click"], ["video"], ["invalid_json"])
    value = metrics.registry.get_sample_value
    assert value("interest_events_applied_total", {"platform": "news", "action": "click"}) == 0
    assert value("interest_vectors_published_total", {"target": "video"}) == 0
    assert value("interest_dead_letters_total", {"reason": "invalid_json"}) == 0
    assert value("interest_events_skipped_total", {"reason": "late"}) == 0


def test_a_revoked_partition_leaves_nothing_behind() -> None:
    metrics = Metrics(process=False)
    for partition in (0, 1):
        for gauge in (metrics.lag_records, metrics.lag_seconds):
            gauge.labels("interest.events", partition).set(5)
    metrics.processed_offset.labels("interest.events", 0).set(9)
    metrics.forget_partition("interest.events", 0)
    metrics.forget_partition("interest.events", 7)
    text = metrics.exposition().decode()
    assert 'partition="0"' not in text
    assert text.count('partition="1"') == 2


def test_only_the_running_bundle_is_shown() -> None:
    metrics = Metrics(process=False)
    metrics.set_info("0.1.0", "old", "cpu")
    metrics.set_info("0.1.0", "new", "cpu")
    text = metrics.exposition().decode()
    assert 'interest_worker_info{bundle="new",provider="cpu",version="0.1.0"} 1.0' in text
    assert 'bundle="old"' not in text


def test_two_workers_of_one_process_dont_share_counts() -> None:
    first, second = Metrics(process=False), Metrics(process=False)
    first.user_updates.inc(2)
    assert second.registry.get_sample_value("interest_user_updates_total") == 0
