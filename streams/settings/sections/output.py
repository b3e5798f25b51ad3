"""The section ``[output]``: the vector topics."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator

from streams.settings.base import TOPIC_RULE, Section, topic_is_legal

TARGET: Final = "{target}"


class Output(Section):
    """The topics with the migrated vectors."""

    topic: str = Field(
        default="interest.vectors.{target}",
        description="Name of a target platform's topic; `{target}` stands for the platform. "
        "Without it all targets go to one topic, and the platform's name is part of the key.",
    )
    encoding: Literal["msgpack", "json"] = Field(
        default="msgpack",
        description="Encoding of the vector messages; the header `content-type` says it too.",
    )
    partitions: int = Field(
        default=8, ge=1, le=10_000, description="Partitions of a topic that the worker creates."
    )
    labels: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Interest labels in each message at most, with their shares; the rest counts "
        "as `other`. 0 leaves them out. Only bundles with categories or titles have labels.",
    )

    @field_validator("topic")
    @classmethod
    def _legal(cls, template: str) -> str:
        if not topic_is_legal(template.replace(TARGET, "x")):
            raise ValueError(
                f"isn't a legal topic name; {TOPIC_RULE}, and {TARGET} for the platform"
            )
        return template

    @property
    def single_topic(self) -> bool:
        """Whether all targets share one topic."""
        return TARGET not in self.topic
