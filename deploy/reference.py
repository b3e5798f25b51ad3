"""The table of metrics in docs/operations.md: ``python -m deploy.reference`` writes it anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from streams.metrics.label_values import REFUSAL_REASONS, SKIP_REASONS
from streams.metrics.metrics import Metrics

PATH: Final = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN: Final = "<!-- metrics: made by `python -m deploy.reference` -->\n"
END: Final = "<!-- end of metrics -->\n"


class MarkersError(Exception):
    """The document lacks the two lines between which the table stands."""


def table() -> str:
    """A Markdown table of every ``interest_*`` metric."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for entry in Metrics(process=False).reference():
        labels = ", ".join(f"`{label}`" for label in entry.labels)
        lines.append(f"| `{entry.name}` | {entry.type} | {labels} | {entry.documentation} |")
    lines += ["", "| `reason` of an event kept out | meaning |", "| --- | --- |"]
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in SKIP_REASONS.items()]
    lines += ["", "| `reason` of a refused bundle | meaning |", "| --- | --- |"]
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in REFUSAL_REASONS.items()]
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """A document with the table between its markers made anew.

    Raises:
        MarkersError: the markers aren't there.
    """
    if BEGIN not in text or END not in text:
        raise MarkersError(f"{PATH} needs the lines {BEGIN!r} and {END!r} around the table")
    head, rest = text.split(BEGIN, 1)
    return head + BEGIN + "\n" + table() + "\n" + END + rest.split(END, 1)[1]


def main() -> int:
    """Write the document."""
    PATH.write_text(renewed(PATH.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PATH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
