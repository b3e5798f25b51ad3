"""Makes ``docs/configuration.md`` from the settings: ``python -m streams.settings.docs PATH``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from streams.settings.load import ENV_PREFIX
from streams.settings.root import Settings

Schema = dict[str, Any]

HEAD: Final = f"""\
<!-- Made by `python -m streams.settings.docs docs/configuration.md`; don't edit. -->
# Configuration

The worker reads one TOML file (`interest-stream worker --config interest-stream.toml`);
`interest-stream.toml` in the repository is a commented example. Only `[[platforms]]` is needed;
everything else has a default that works on one machine.

- The environment overrides the file: `{ENV_PREFIX}SECTION__FIELD`, for instance
  `{ENV_PREFIX}KAFKA__BOOTSTRAP=kafka-1:9092,kafka-2:9092`. Lists are text with commas, or
  JSON; `{ENV_PREFIX}PLATFORMS` is the whole list of platforms as JSON.
- A key that isn't in this reference is an error, and so is a value out of its range or settings
  that contradict each other. All mistakes are reported at once, each with its path, its value
  and what would be right; the worker then exits with code 2.
- Paths are relative to the working directory.
- Settings are read at start and never change while the worker runs.
"""

_KINDS: Final = {"integer": "whole number", "number": "number", "boolean": "true or false"}


def reference() -> str:
    """The reference as Markdown."""
    schema = Settings.model_json_schema()
    parts = [HEAD]
    for name, field in schema["properties"].items():
        repeated = field.get("type") == "array"
        section = _resolve(field["items"] if repeated else field, schema)
        title = f"[[{name}]]" if repeated else f"[{name}]"
        parts.append(_section(title, section, schema))
    return "\n".join(parts)


def _resolve(field: Schema, schema: Schema) -> Schema:
    """The definition that a field refers to."""
    name = field["$ref"].rpartition("/")[2]
    found: Schema = schema["$defs"][name]
    return found


def _section(title: str, section: Schema, schema: Schema) -> str:
    required = section.get("required", [])
    rows = [
        f"| `{name}` | {_kind(field)} | {_default(name, field, required)} | {_text(field)} |"
        for name, field in section["properties"].items()
    ]
    table = ["| setting | value | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"## `{title}`", "", section["description"], "", *table, ""])


def _text(field: Schema) -> str:
    """The description; a field without one would be a hole in the reference."""
    text: str = field["description"]
    return text.replace("|", "\\|")


def _kind(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return "list of text"
    if field.get("type") == "object":
        return "table"
    if field.get("format") == "path":
        return "path"
    return _KINDS.get(field.get("type", ""), "text") + _bounds(field)


def _bounds(field: Schema) -> str:
    low, above, high = (field.get(k) for k in ("minimum", "exclusiveMinimum", "maximum"))
    if above is not None:
        return f", more than {above:g}" + (f", at most {high:,g}" if high is not None else "")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    return f", {low:,} or more" if low is not None else ""


def _default(name: str, field: Schema, required: list[str]) -> str:
    if name in required:
        return "**needed**"
    default = field.get("default")
    # What is filled in from other settings, its description says.
    return "see right" if default in (None, "") else f"`{json.dumps(default)}`"


def main(argv: list[str]) -> int:
    """Write the reference to the path given."""
    Path(argv[0]).write_text(reference(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
