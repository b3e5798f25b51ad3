"""Where the items of live events rank."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter

from streams.metrics.registry import counter

CASE = ("platform", "ranker", "bundle")


class LiveQualityMetrics:
    """Where the items of live events rank."""

    live_cases = counter(
        "interest_live_cases_total",
        "Events of which it was asked, before they were applied, where their item ranks: by"
        " the active bundle's vectors, the shadow's, or popularity.",
        *CASE,
    )
    live_hits = counter(
        "interest_live_hits_total",
        "Those whose item ranked among the first ten (over cases: HR@10).",
        *CASE,
    )
    live_reciprocal = counter(
        "interest_live_reciprocal_rank_total",
        "Sum of 1 / rank of their items (over cases: MRR).",
        *CASE,
    )
    live_dropped = counter(
        "interest_live_dropped_total", "Events that were to be judged and were too many."
    )

    def declare_quality(
        self, platforms: Sequence[str], rankers: Sequence[str], bundle: str
    ) -> None:
        """Start the figures of a bundle at zero."""
        for figure in self._figures():
            for platform in platforms:
                for ranker in rankers:
                    figure.labels(platform, ranker, bundle)

    def forget_quality(self, bundle: str) -> None:
        """Remove the series of a bundle that neither computes nor is tried any more."""
        for figure in self._figures():
            figure.remove_by_labels({"bundle": bundle})

    def _figures(self) -> tuple[Counter, ...]:
        return self.live_cases, self.live_hits, self.live_reciprocal
