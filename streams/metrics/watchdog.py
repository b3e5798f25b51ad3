"""What the watchdog's rules see."""

from __future__ import annotations

from collections.abc import Mapping

from streams.metrics.registry import counter, gauge


class WatchdogMetrics:
    """What the watchdog's rules see."""

    watchdog_still_seconds = gauge(
        "interest_watchdog_still_seconds",
        "For how long what a rule of the watchdog watches has stood still.",
        "rule",
    )
    watchdog_limit_seconds = gauge(
        "interest_watchdog_limit_seconds",
        "For how long it may, before the worker ends itself.",
        "rule",
    )
    watchdog_exits = counter(
        "interest_watchdog_exits_total",
        "How often a rule has ended a worker with this state folder; the next start shows it.",
        "rule",
    )

    def watch(self, limits_s: Mapping[str, float]) -> None:
        """Say what the watchdog's rules are, in seconds, and start their series."""
        for rule, limit in limits_s.items():
            self.watchdog_limit_seconds.labels(rule).set(limit)
            self.watchdog_still_seconds.labels(rule)
            self.watchdog_exits.labels(rule)
