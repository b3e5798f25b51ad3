"""Our JSON lines and Parquet: what is written is read back, and errors name the field."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.contract import ACTIONS
from models.data import EventTable, read_events, shuffle_ties
from models.data.table import TableBuilder
from models.errors import DataError
from tests.native_files import write_jsonl, write_parquet

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
events = st.lists(
    st.tuples(
        ids,
        st.sampled_from(["shop", "video"]),
        st.integers(0, len(ACTIONS) - 1),
        ids,
        st.integers(10**11, 4 * 10**12),
    ),
    min_size=1,
    max_size=20,
)


def build(rows: list[tuple[str, str, int, str, int]]) -> EventTable:
    builder = TableBuilder()
    for number, row in enumerate(rows):
        builder.add_item(row[1], row[3], title=f"title {number}", category="c")
        builder.add_event(*row)
    return builder.build()


def meaning(table: EventTable) -> object:
    """What a table says, whatever the codes are."""
    by_user: dict[str, list[tuple[str, int, str, int]]] = {}
    for at in range(len(table)):
        platform = int(table.platform[at])
        item = table.items[platform].ids[table.item[at]]
        row = (table.platforms[platform], int(table.action[at]), item, int(table.time_ms[at]))
        by_user.setdefault(table.users[table.user[at]], []).append(row)
    words = {
        name: sorted(zip(items.ids, items.titles, items.categories, strict=True))
        for name, items in zip(table.platforms, table.items, strict=True)
    }
    return by_user, words


@settings(max_examples=50, deadline=None)
@given(events)
def test_json_lines_round_trip(rows: list[tuple[str, str, int, str, int]]) -> None:
    table = build(rows)
    with tempfile.TemporaryDirectory() as folder:
        write_jsonl(table, Path(folder))
        assert meaning(read_events(folder)) == meaning(table)


@settings(max_examples=10, deadline=None)
@given(events)
def test_parquet_round_trip(rows: list[tuple[str, str, int, str, int]]) -> None:
    pytest.importorskip("pyarrow")
    table = build(rows)
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(table, Path(folder))
        assert meaning(read_events(folder)) == meaning(table)


@given(events, st.integers(0, 100))
def test_shuffled_ties_keep_time_and_users(
    rows: list[tuple[str, str, int, str, int]], seed: int
) -> None:
    table = build([(*row[:4], row[4] % 3) for row in rows])
    mixed = shuffle_ties(table, seed)
    assert np.array_equal(mixed.user, table.user)
    assert np.array_equal(mixed.time_ms, table.time_ms)
    assert sorted(mixed.global_item) == sorted(table.global_item)


def jsonl(tmp_path: Path, *lines: str, **other: str) -> Path:
    for name, text in {"events": "\n".join(lines), **other}.items():
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_purchase_of_several_items_makes_several_events(tmp_path: Path) -> None:
    line = (
        '{"platform": "shop", "action": "purchase", "user_id": 7, "time": 10, "more": 1,'
        ' "items": [{"item_id": "a"}, {"item_id": 5}]}'
    )
    table = read_events(jsonl(tmp_path, line))
    assert table.users == ["7"]
    assert [table.items[0].ids[item] for item in table.item] == ["a", "5"]


def test_times_in_each_form(tmp_path: Path) -> None:
    head = '{"platform": "p", "action": "click", "user_id": "u", "item_id": "i", "time": '
    forms = ["1.5", "1500000000000", '"1970-01-01T01:00:00.250+01:00"', '"1970-01-01T00:00:01Z"']
    table = read_events(jsonl(tmp_path, *(f"{head}{form}}}" for form in forms)))
    assert table.time_ms.tolist() == [250, 1000, 1500, 1_500_000_000_000]


def test_local_ids_follow_the_last_link(tmp_path: Path) -> None:
    head = '{"platform": "p", "action": "click", "item_id": "i", "time": 1, "local_id": '
    link = '{"platform": "p", "local_id": "a", "user_id": "%s"}'
    links = f"{link % 'old'}\n{link % 'ann'}\n"
    table = read_events(jsonl(tmp_path, head + '"a"}', head + '"b"}', links=links))
    assert table.users == ["ann", "p/b"]


def test_one_file_is_enough(tmp_path: Path) -> None:
    line = '{"platform": "p", "action": "click", "user_id": "u", "item_id": "i", "time": 1}'
    jsonl(tmp_path, line)
    assert len(read_events(tmp_path / "events.jsonl")) == 1


GOOD = {"platform": '"p"', "action": '"click"', "user_id": '"u"', "item_id": '"i"', "time": "1"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("action", '"gaze"', "'action' has 'gaze'; expected one of browse, click"),
        ("platform", "null", "'platform' has 'None'; expected a text"),
        ("item_id", '""', "'item_id' has ''; expected a text"),
        ("user_id", "null", "'local_id' has 'None'; expected a user_id or a local_id"),
        ("time", '"2020-01-01T00:00:00"', "'time' has '2020.*expected RFC 3339 with an offset"),
        ("time", '"yesterday"', "'time' has 'yesterday'"),
        ("time", "true", "'time' has 'True'"),
        ("items", "3", "'items' has '3'; expected a list of objects"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: str, message: str) -> None:
    line = ",".join(f'"{name}": {text}' for name, text in {**GOOD, field: value}.items())
    with pytest.raises(DataError, match=rf"events\.jsonl:1: field {message}"):
        read_events(jsonl(tmp_path, f"{{{line}}}"))


@pytest.mark.parametrize("line", ["[1]", "{", "nonsense"])
def test_a_line_that_is_no_object(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"events\.jsonl:1: field 'line'.*expected a JSON object"):
        read_events(jsonl(tmp_path, line))


def test_a_folder_without_events(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("")
    with pytest.raises(DataError, match="has no event files"):
        read_events(tmp_path)


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "events.parquet").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="isn't a readable Parquet file"):
        read_events(tmp_path)
