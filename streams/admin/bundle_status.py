"""What workers say about the bundle that they run, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from streams.runtime.bundles.announcement import (
    Announcement,
)
from streams.runtime.bundles.service import REPORT_S
from streams.runtime.bundles.worker_status import WorkerStatus, decode_status
from streams.runtime.sending.publisher import now_ms

SILENT_S: Final = 3 * REPORT_S
"""A worker that hasn't said anything for so long is gone, or not well."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of ``status``, and whether what it says of a worker is well."""

    text: str
    well: bool = True


def told(said: Mapping[bytes | None, bytes | None], active: Announcement | None) -> Iterator[Line]:
    """A line for each worker, then how well their vectors rank.

    Args:
        said: the last value of each key of the status topic.
        active: the bundle that is to be in force.
    """
    workers: list[WorkerStatus] = []
    for key, value in sorted(said.items(), key=lambda item: item[0] or b""):
        status = decode_status(value) if value else None
        if status is not None:
            workers.append(status)
            yield _line(status, active)
        elif value:  # nothing can be said about it, neither that it is well nor that it isn't
            name = (key or b"").decode(errors="replace")
            yield Line(f"{name!r} said something that this version can't read")
    for status in workers:
        yield from (Line(_ranks(status.worker, figures)) for figures in status.quality)


def _ranks(worker: str, figures: Mapping[str, str | float]) -> str:
    names = ("platform", "ranker", "bundle", "hit_rate_10", "mrr", "cases")
    platform, ranker, bundle, hits, mrr, cases = (figures.get(name, "?") for name in names)
    return f"{worker}  {platform}  {ranker} {bundle}: HR@10 {hits}, MRR {mrr} of {cases} events"


def _line(status: WorkerStatus, active: Announcement | None) -> Line:
    age_s = (now_ms() - status.at_ms) / 1000
    if age_s > SILENT_S:
        return Line(f"{status.worker}  silent for {age_s:.0f} s", well=False)
    if status.refused:
        text = f"{status.worker}  {status.bundle}  REFUSES {status.refused}: {status.why}"
        return Line(text, well=False)
    waiting = active is not None and active.bundle != status.bundle
    parts = [status.worker, status.bundle, "verifying the announced bundle" if waiting else ""]
    if status.rebuilding:
        parts.append(f"bringing users over in partitions {', '.join(map(str, status.rebuilding))}")
    return Line("  ".join(filter(None, parts)))
