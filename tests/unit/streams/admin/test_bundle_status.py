"""What ``interest-stream bundle status`` says about the workers."""

from __future__ import annotations

import msgspec
import pytest

from streams.admin import bundle_status
from streams.admin.bundle_status import SILENT_S, told
from streams.runtime.bundles.announcement import Announcement
from streams.runtime.bundles.worker_status import WorkerStatus

NOW_MS = 1_760_000_000_000
ACTIVE = Announcement("b2", "/b/2", "0")
RANKS = {"platform": "shop", "ranker": "model", "bundle": "b2", "hit_rate_10": 0.5, "mrr": 0.25}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_status, "now_ms", lambda: NOW_MS)


def said(worker: str, bundle: str = "b2", **more: object) -> tuple[bytes, bytes]:
    status = WorkerStatus(worker, bundle, **{"at_ms": NOW_MS, **more})  # type: ignore[arg-type]
    return worker.encode(), msgspec.json.encode(status)


@pytest.mark.parametrize(
    ("status", "text", "well"),
    [
        (said("w"), "w  b2", True),
        (said("w", "b1"), "w  b1  verifying the announced bundle", True),
        (said("w", rebuilding=(1, 3)), "w  b2  bringing users over in partitions 1, 3", True),
        (said("w", "b1", refused="b2", why="it is damaged"), "w  b1  REFUSES b2: it is", False),
        (said("w", at_ms=NOW_MS - round(SILENT_S * 1000) - 1000), "w  silent for 91 s", False),
    ],
)
def test_a_line_for_each_worker(status: tuple[bytes, bytes], text: str, well: bool) -> None:
    (line,) = told(dict([status]), ACTIVE)
    assert line.text.startswith(text)
    assert line.well is well


def test_what_cannot_be_read_hides_no_worker() -> None:
    strange: dict[bytes | None, bytes | None] = {b"nobody": b"{}", None: b"[" * 9_000, b"x": None}
    lines = list(told({**strange, **dict([said("w", quality=(RANKS,))])}, ACTIVE))
    assert [line.text for line in lines] == [
        "'' said something that this version can't read",
        "'nobody' said something that this version can't read",
        "w  b2",
        "w  shop  model b2: HR@10 0.5, MRR 0.25 of ? events",
    ]
    assert all(line.well for line in lines)
