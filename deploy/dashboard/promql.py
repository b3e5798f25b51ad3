"""The PromQL of the dashboard, and the limits at which its colours turn: those of the alerts."""

from __future__ import annotations

from typing import Final

from deploy.dashboard.panels import GREEN, RED, YELLOW, Step

# Where the alerts fire.
BEHIND_S: Final = 60.0
LOST_SHARE: Final = 0.01
SLOW_S: Final = 1.0
UNKNOWN_SHARE: Final = 0.2

ONE: Final = '{instance=~"$instance"}'


def up_to(limit: float) -> tuple[Step, ...]:
    """Green, yellow from half of the alert's limit, red where it fires."""
    return ((None, GREEN), (limit / 2, YELLOW), (limit, RED))


def rate(name: str, by: str = "") -> str:
    """Increase a second of a counter, summed over workers."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped}(rate({name}{ONE}[$__rate_interval]))"


def share(part: str, whole: str, by: str = "") -> str:
    """One rate over another; 0 while the other is 0."""
    return f"{rate(part, by)} / ({rate(whole, by)} > 0)"


def quantile(q: float, name: str, by: str = "") -> str:
    """A quantile of a histogram."""
    grouped = f"le, {by}" if by else "le"
    buckets = f"sum by ({grouped})(rate({name}_bucket{ONE}[$__rate_interval]))"
    return f"histogram_quantile({q}, {buckets})"


def live(name: str) -> str:
    """A live figure over a quarter of an hour: few events are judged."""
    by = "platform, ranker, bundle"
    judged = f"sum by ({by})(increase(interest_live_cases_total{ONE}[15m]))"
    return f"sum by ({by})(increase({name}{ONE}[15m])) / ({judged} > 0)"


LOST: Final = (
    f"{rate('interest_dead_letters_total')} / ({rate('interest_dead_letters_total')}"
    f" + {rate('interest_events_read_total')} > 0)"
)
