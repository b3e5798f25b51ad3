"""How often the watchdog has ended a worker, kept for the next start to show."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from streams.runtime.services.watchdog import Rule

log = logging.getLogger(__name__)


class Exits:
    """How often each rule has ended a worker with this state folder; best effort.

    Args:
        path: a JSON file; counts by rule.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def counts(self) -> dict[Rule, int]:
        """Counts of all rules; zeros where the file is missing or unreadable."""
        try:
            found = json.loads(self._path.read_text())
            return {rule: int(found.get(rule.value, 0)) for rule in Rule}
        except (OSError, ValueError, AttributeError, TypeError):
            return dict.fromkeys(Rule, 0)

    def add(self, rule: Rule) -> None:
        """One more, for the next start to show: nobody scrapes a worker that has ended."""
        counts = self.counts()
        counts[rule] += 1
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps({rule.value: n for rule, n in counts.items()}))
        except OSError as error:
            log.warning("the exit isn't counted: %s", error)
