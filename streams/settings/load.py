"""Reads the settings: TOML file, then environment; all mistakes reported at once."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streams.errors import SettingsError
from streams.settings.root import ContradictionError, Settings

ENV_PREFIX: Final = "INTEREST_STREAM__"
SHOWN_VALUE: Final = 80  # characters of a wrong value in a message
SECRET: Final = re.compile("pas|pwd|token|secret|hash_key", re.IGNORECASE)
"""Names of settings whose values stay out of messages, also where the name is misspelt."""
HIDDEN: Final = "a value that isn't shown here"


def load_settings(path: str | None, env: Mapping[str, str] | None = None) -> Settings:
    """Settings from a TOML file (None: no file) and ``INTEREST_STREAM__SECTION__FIELD``.

    The environment wins. Lists may be JSON or text with commas; ``INTEREST_STREAM__PLATFORMS``
    is JSON.

    Args:
        path: the TOML file.
        env: the environment; the process's own by default.

    Raises:
        SettingsError: the file can't be read, or settings are wrong; the message has every
            mistake with field path, value and remedy.
    """
    raw = _read_toml(path) if path is not None else {}
    _overlay(raw, os.environ if env is None else env)
    return parse_settings(raw, source=path or "the settings")


def parse_settings(raw: Mapping[str, Any], source: str = "the settings") -> Settings:
    """Settings from plain dictionaries, checked in the same way as a file.

    Raises:
        SettingsError: as :func:`load_settings`.
    """
    try:
        return Settings.model_validate(dict(raw))
    except ValidationError as error:
        problems = [line for detail in error.errors() for line in _explain(detail)]
    listed = "".join(f"\n  - {problem}" for problem in problems)
    raise SettingsError(f"{source}: {len(problems)} setting(s) can't be used:{listed}")


def _read_toml(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: the settings file can't be read ({error.strerror or error}); "
            "give the path of a TOML file with --config"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: isn't TOML: {error}; correct that place") from error


def _overlay(raw: dict[str, Any], env: Mapping[str, str]) -> None:
    """Put the environment's values into ``raw``."""
    for name in sorted(env):
        if not name.upper().startswith(ENV_PREFIX):
            continue
        *sections, field = name[len(ENV_PREFIX) :].lower().split("__")
        place = raw
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise SettingsError(
                    f"{name}: {section!r} has no fields of its own that the environment can set; "
                    f"set {ENV_PREFIX}{section.upper()} as JSON instead"
                )
            place = inner
        place[field] = _env_value(name, env[name])


def _env_value(name: str, text: str) -> Any:
    if SECRET.search(name) or not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {_shown(text)} isn't JSON ({error}); correct it") from error


def _explain(detail: ErrorDetails) -> list[str]:
    """Lines with field path, value and remedy for one of pydantic's errors."""
    inner = detail.get("ctx", {}).get("error")
    if isinstance(inner, ContradictionError):
        return inner.problems
    if detail["type"] == "too_short" and detail["input"]:
        return []  # its elements are wrong, and each has a line of its own
    path = _path(detail["loc"])
    if detail["type"] == "missing":
        return [f"{path}: is missing; add it"]
    if detail["type"] == "extra_forbidden":
        return [
            f"{path}: no such setting (value {_shown(detail['input'], path)}); remove it or "
            "correct its name, docs/configuration.md has them all"
        ]
    if isinstance(inner, ValueError):
        shown = f"{_shown(detail['input'], path)} " if not isinstance(detail["input"], dict) else ""
        return [f"{path}: {shown}{inner}"]
    return [f"{path}: {_shown(detail['input'], path)} can't be used; {_remedy(detail['msg'])}"]


def _remedy(message: str) -> str:
    """Pydantic's "Input should be ..." as advice."""
    head, _, rest = message.partition("should ")
    return f"it should {rest}" if head in {"Input ", "Tuple "} and rest else message


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if part == "[key]":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "settings"


def _shown(value: object, path: str = "") -> str:
    text = repr(value)
    if SECRET.search(path) or SECRET.search(text):
        return HIDDEN
    return text if len(text) <= SHOWN_VALUE else text[: SHOWN_VALUE - 1] + "…"


CONFIG_VARIABLE: Final = "INTEREST_STREAM_CONFIG"
DEFAULT_CONFIG: Final = "interest-stream.toml"


def config_path(given: str | None) -> str | None:
    """The settings file: the argument, the environment's, or the one that lies here."""
    if given or os.environ.get(CONFIG_VARIABLE):
        return given or os.environ[CONFIG_VARIABLE]
    return DEFAULT_CONFIG if os.path.exists(DEFAULT_CONFIG) else None
