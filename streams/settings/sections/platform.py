"""One platform: its name, its topics, and how its ids relate to users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from streams.settings.base import OptionalTopic, PlatformName, Section, Topics

ANY_ACTION: Final = "any"
DEFAULT_ACTIONS: Final = ("browse", "click", "purchase")

TopicAction = Literal["browse", "click", "purchase", "cart", "favourite", "refund", "any"]


class Platform(Section):
    """One product that emits events and has items and users of its own."""

    name: PlatformName = Field(
        description="Name of the platform: part of topic names, keys and metrics. It must be one "
        "of the bundle's platforms.",
    )
    ids: Literal["shared", "linked"] = Field(
        default="shared",
        description="`shared`: this platform's user ids are the canonical user ids. `linked`: it "
        "has local ids of its own; a record of the links topic says which user one belongs to, "
        "and until then the local id counts as a provisional user.",
    )
    user_id_is: Literal["canonical", "local"] = Field(
        default="canonical",
        description="What the events' field for a logged-in user holds (`user_id`, Segment's "
        "`userId`, ...) on a platform with linked ids: `canonical` user ids, or `local` ids of "
        "the platform's own accounts, which are then linked like any other local id.",
    )
    format: Literal["native", "segment", "ga4", "snowplow", "cloudevents"] = Field(
        default="native",
        description="Format of the events (docs/events.md): `native` is this project's own JSON; "
        "the others are taken as Segment (and RudderStack), Google Analytics 4, Snowplow and "
        "CloudEvents send them.",
    )
    topics: Mapping[TopicAction, Topics] = Field(
        default_factory=dict,
        description="Topics by action; a topic or a list of topics each. The actions are browse, "
        "click, purchase, cart, favourite and refund, and `any` for a topic whose records name "
        "their action themselves. Default: `{name}.browse`, `{name}.click`, `{name}.purchase`.",
    )
    items: OptionalTopic = Field(
        default="",
        description="Compacted topic with the platform's items. Default: `{name}.items`.",
    )
    links: OptionalTopic = Field(
        default="",
        description="Compacted topic with the links of local ids to users; only for platforms "
        'with `ids = "linked"`. Default there: `{name}.links`.',
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_topics(cls, raw: Any) -> Any:
        """Names that the file leaves out follow from the platform's name."""
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            return raw
        name = raw["name"]
        filled = {"topics": {action: [f"{name}.{action}"] for action in DEFAULT_ACTIONS}}
        filled["items"] = f"{name}.items"  # type: ignore[assignment]
        if raw.get("ids") == "linked":
            filled["links"] = f"{name}.links"  # type: ignore[assignment]
        return {**filled, **raw}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(self.topics.values()):
            raise ValueError(
                "names no event topic; give at least one action a topic, or leave "
                "`topics` out for the default names"
            )
        if not self.items:
            raise ValueError("has an empty `items`; name the topic that carries its items")
        if self.ids == "linked" and not self.links:
            raise ValueError("has linked ids and an empty `links`; name its links topic")
        if self.ids == "shared" and self.links:
            raise ValueError(
                f"has shared ids and the links topic {self.links!r}; remove `links`, "
                'or set ids = "linked"'
            )
        if self.ids == "shared" and self.user_id_is == "local":
            raise ValueError(
                'has shared ids and user_id_is = "local"; set ids = "linked", or '
                "leave `user_id_is` out"
            )
        return self

    def event_topics(self) -> dict[str, str | None]:
        """Topic -> default action of its records (None: the records say it)."""
        return {
            topic: None if action == ANY_ACTION else str(action)
            for action, topics in self.topics.items()
            for topic in topics
        }
