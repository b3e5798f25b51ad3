"""The sections about bundles while the worker runs, and how good they are."""

from __future__ import annotations

from pydantic import Field

from streams.settings.base import Section, Topic


class Bundles(Section):
    """Bundles that are announced while the worker runs."""

    topic: Topic = Field(
        default="interest.bundles",
        description="Topic on which `interest-stream bundle` announces bundles; one partition, "
        "compacted. What is announced there wins over `service.bundle`.",
    )
    status_topic: Topic = Field(
        default="interest.bundles.status",
        description="Topic on which each worker says which bundle it runs, and why it refused "
        "one; one partition, compacted.",
    )
    rebuild_users_s: float = Field(
        default=200.0,
        gt=0,
        le=100_000,
        description="Users a second that each worker brings over to a new bundle in the "
        "background, beside those whose events come; each costs up to `window.events` steps and "
        "one message for each target.",
    )
    max_state_size: int = Field(
        default=2_040,
        ge=8,
        le=2_040,
        description="Largest state (numbers per user) that an announced bundle may have; a "
        "larger one is refused. A stored user takes 6 bytes for each number.",
    )
    retry_s: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="Seconds after which a refused bundle is looked at again: its files may "
        "have arrived since.",
    )


class Quality(Section):
    """How good vectors are while they are served: a sample of events is judged."""

    sample_rate: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of events of which the worker asks, before it applies them, where "
        "their item ranks under the user's vector. 0: none.",
    )
    candidates: int = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Items that an item is ranked among: all of its platform's, or of a larger "
        "catalogue a fixed sample of so many. Takes 4 bytes for each number of their vectors.",
    )
    popularity_half_life: float = Field(
        default=100_000.0,
        gt=0,
        description="Events of a platform after which an event counts half for an item's "
        "popularity, with which the vectors are compared.",
    )
    shadow_cases_s: float = Field(
        default=10.0,
        gt=0,
        le=10_000,
        description="Most judged events a second for which the shadow bundle computes its state "
        "from the user's window, up to `window.events` steps each.",
    )
