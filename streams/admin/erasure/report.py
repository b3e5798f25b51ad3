"""Findings about an erased user as text, and their sum."""

from __future__ import annotations

import json
from collections import Counter

from streams.admin.erasure.traces import Finding, Subject, Verdict

FOUND = 1
MEANINGS = {
    Verdict.LEFT: "should be gone",
    Verdict.LATER: "is of after the erasure",
    Verdict.WAITS: "was overwritten or taken back; compaction removes it",
    Verdict.EXPIRES: "goes when the retention ends",
    Verdict.KEPT: "stays by design",
    Verdict.YOURS: "is in a topic that you write",
}


def as_line(finding: Finding, *, as_json: bool) -> str:
    """One finding, for a person or as JSON."""
    verdict, topic, partition, offset, what = finding
    if as_json:
        return json.dumps({**finding._asdict(), "verdict": verdict.value})
    return f"{verdict.value:8}{topic}-{partition}@{offset}  {what}"


def summary(subject: Subject, counts: Counter[Verdict]) -> str:
    """How many findings there are of each verdict, and whether that is clean."""
    who = subject.user or " ".join("/".join(local) for local in sorted(subject.locals))
    told = [f"{n} {verdict.value} ({MEANINGS[verdict]})" for verdict, n in counts.items()]
    lines = [f"{who}: " + ("; ".join(told) if told else "nothing is known of this id")]
    if subject.user and subject.locals:
        ids = ", ".join("/".join(local) for local in sorted(subject.locals))
        lines.append(f"local ids that were looked for: {ids}")
    lines.append("not looked at: the platforms' own topics (events, links' older records)")
    clean = "clean" if not counts[Verdict.LEFT] else "NOT clean"
    return "\n".join([*lines, f"{clean}: {counts[Verdict.LEFT]} left"])
