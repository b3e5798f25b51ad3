"""docs/contract.md: its examples decode, its table has every field, its names are the code's."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import msgspec

import deploy
from streams.subscribe import schema
from streams.subscribe.schema import InterestUpdate, decode, headers

TEXT = (Path(deploy.__file__).parents[1] / "docs" / "contract.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)
    assert found
    return found[1]


JSON_EXAMPLE = block("json").strip().encode()
PACKED_EXAMPLE = bytes.fromhex(block("hex"))


def fields(update: InterestUpdate) -> dict[str, object]:
    every = {name: getattr(update, name) for name in update.__struct_fields__}
    return {**every, "vector": update.vector.tolist()}


def test_both_examples_are_the_same_update() -> None:
    first = decode(JSON_EXAMPLE, headers("json"))
    assert fields(first) == fields(decode(PACKED_EXAMPLE, headers("msgpack")))
    assert first.id == "c-1042"


def test_a_reader_without_our_code_gets_the_same_numbers() -> None:
    packed = msgspec.msgpack.decode(PACKED_EXAMPLE)
    plain = json.loads(JSON_EXAMPLE)
    count = len(packed["vector"]) // 2
    numbers = struct.unpack(f"<{count}e", packed["vector"])
    assert numbers == struct.unpack(f"<{count}e", struct.pack(f"<{count}e", *plain["vector"]))
    assert numbers == (0.0999755859375, -2.0, 0.5, 0.0010004043579101562)
    assert {k: v for k, v in packed.items() if k != "vector"} == {
        k: v for k, v in plain.items() if k != "vector"
    }


def test_the_table_has_every_field_in_order() -> None:
    table = TEXT[TEXT.index("| field |") : TEXT.index("An item's score")]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.M)) == InterestUpdate.__struct_fields__


def test_names_are_the_codes() -> None:
    for name in (schema.SCHEMA, schema.DEFAULT_TOPIC, *schema.CONTENT_TYPES.values()):
        assert f"`{name}`" in TEXT
