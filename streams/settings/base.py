"""What every section shares: frozen, no unknown keys, names that Kafka accepts."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
PLATFORM_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TOPIC_RULE: Final = "use 1 to 249 of the characters a-z A-Z 0-9 . _ -, and not only dots"
PLATFORM_RULE: Final = (
    "use 1 to 64 of the characters a-z A-Z 0-9 _ -, beginning with a letter or a digit "
    "(the name is part of topic names, keys and file names)"
)


class Section(BaseModel):
    """A part of the settings: can't be changed after reading, knows all of its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


def topic_is_legal(name: str) -> bool:
    """Whether Kafka accepts ``name`` as the name of a topic."""
    return TOPIC_NAME.fullmatch(name) is not None and name.strip(".") != ""


def _topic(name: str) -> str:
    if not topic_is_legal(name):
        raise ValueError(f"isn't a legal Kafka topic name; {TOPIC_RULE}")
    return name


def _optional_topic(name: str) -> str:
    return _topic(name) if name else name


def _platform_name(name: str) -> str:
    if PLATFORM_NAME.fullmatch(name) is None:
        raise ValueError(f"isn't a usable platform name; {PLATFORM_RULE}")
    return name


def split_list(value: Any) -> Any:
    """``"a, b"`` as ``["a", "b"]`` (the environment has only text); anything else unchanged."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Topic = Annotated[str, AfterValidator(_topic)]
OptionalTopic = Annotated[str, AfterValidator(_optional_topic)]
PlatformName = Annotated[str, AfterValidator(_platform_name)]
Topics = Annotated[tuple[Topic, ...], BeforeValidator(split_list)]
