"""Every format is read into the same columns; errors say file, line, field, value, remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.contract import ACTIONS
from models.data import TEST, TRAIN, VALIDATION, EventTable, detect_format, read_events
from models.errors import DataError


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def rows(table: EventTable) -> list[tuple[str, str, str, str, int]]:
    """Events as (user, platform, action, item, time_ms)."""
    return [
        (
            table.users[table.user[at]],
            table.platforms[table.platform[at]],
            ACTIONS[table.action[at]],
            table.items[table.platform[at]].ids[table.item[at]],
            int(table.time_ms[at]),
        )
        for at in range(len(table))
    ]


AFK_ITEMS = "1\tfood\tB1\tGreen tea\n2\tkitchen\tB2\t\n3\tfood\tB3\tJar\n"


def test_afk(tmp_path: Path) -> None:
    write(
        tmp_path,
        items_DOT_tsv=AFK_ITEMS,
        events_DOT_tsv="7\t0\t2\tkitchen\t20\n8\t0\t1\tfood\t5\n7\t1\t1\tfood\t10\n",
    )
    table = read_events(tmp_path)
    assert detect_format(tmp_path) == "afk"
    assert rows(table) == [
        ("7", "food", "purchase", "B1", 10_000),
        ("7", "kitchen", "purchase", "B2", 20_000),
        ("8", "food", "purchase", "B1", 5_000),
    ]
    assert table.platforms == ("food", "kitchen")
    assert table.items[0].ids == ["B1", "B3"]
    assert table.items[0].titles == ["Green tea", "Jar"]
    assert table.user_starts.tolist() == [0, 2, 3]
    assert table.global_item.tolist() == [0, 2, 0]


def test_file_order_breaks_ties_of_time(tmp_path: Path) -> None:
    write(
        tmp_path,
        items_DOT_tsv=AFK_ITEMS,
        events_DOT_tsv="7\t0\t3\tfood\t9\n7\t1\t1\tfood\t9\n7\t2\t2\tkitchen\t9\n",
    )
    assert [row[3] for row in rows(read_events(tmp_path))] == ["B3", "B1", "B2"]


def test_taobao(tmp_path: Path) -> None:
    write(tmp_path, U_DOT_csv="1,10,100,pv,5\n1,11,101,fav,3\n2,10,100,buy,4\n2,10,100,cart,4\n")
    table = read_events(tmp_path)
    assert rows(table) == [
        ("1", "taobao", "favourite", "11", 3000),
        ("1", "taobao", "browse", "10", 5000),
        ("2", "taobao", "purchase", "10", 4000),
        ("2", "taobao", "cart", "10", 4000),
    ]
    assert table.items[0].categories == ["100", "101"]


def test_a_last_line_that_was_cut_off_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, U_DOT_csv="1,10,100,pv,5\n1,11,101,pv")
    assert len(read_events(tmp_path)) == 1
    assert "U.csv:2" in caplog.text


def test_a_short_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, U_DOT_csv="1,10,100,pv,5\n1,11,101,pv\n1,10,100,pv,5\n")
    with pytest.raises(DataError, match=r"U\.csv:2: field 'line' has '4 fields"):
        read_events(tmp_path)


REES46 = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,s\n"


def test_rees46(tmp_path: Path) -> None:
    write(
        tmp_path,
        o_DOT_csv=REES46
        + "2019-10-01 00:00:01 UTC,view,4,77,appliances.water_heater,aqua,33.2,9,x\n"
        + "2019-10-01 00:00:00 UTC,purchase,5,78,,,1,9,x\n",
    )
    table = read_events(tmp_path)
    assert rows(table) == [
        ("9", "rees46", "purchase", "5", 1_569_888_000_000),
        ("9", "rees46", "browse", "4", 1_569_888_001_000),
    ]
    assert table.items[0].titles == ["aqua water heater appliances", ""]
    assert table.items[0].categories == ["appliances.water_heater", "78"]


def test_cdrib(tmp_path: Path) -> None:
    """User 0 and 1 are the same people in both domains, user 2 is two people."""
    write(
        tmp_path,
        game_video__train_DOT_txt="0\t0\n2\t2\n",
        game_video__valid_DOT_txt="1\t0\n",
        game_video__test_DOT_txt="1\t1\n",
        video_game__train_DOT_txt="0\t1\n1\t0\n2\t0\n",
        video_game__valid_DOT_txt="",
        video_game__test_DOT_txt="",
    )
    table = read_events(tmp_path)
    assert detect_format(tmp_path) == "cdrib"
    assert sorted(table.users) == ["0", "1", "game/2", "video/2"]
    assert table.items[0].ids == ["0", "1", "2"]
    assert table.items[1].ids == ["0", "1"]
    person = table.user == table.users.index("1")
    assert table.part is not None
    assert table.part[person].tolist() == [VALIDATION, TEST, TRAIN]
    assert not table.time_ms.any()


def test_phone_sport(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_b__train_DOT_txt="0\t0\t1\n",
        a_b__test_DOT_txt="0\t2\t1\n",
        a_b__test_neg_99_DOT_txt="(0,2)\t1\t3\n",
        b_a__train_DOT_txt="0\t0\t1\n",
        b_a__test_DOT_txt="",
        b_a__test_neg_99_DOT_txt="",
    )
    table = read_events(tmp_path)
    assert detect_format(tmp_path) == "phone-sport"
    assert table.items[0].ids == ["0", "1", "2", "3"]
    assert table.part is not None
    assert table.negatives is not None
    assert table.part.tolist() == [TRAIN, TEST, TRAIN]
    assert table.negatives.tolist() == [[-1, -1], [1, 3], [-1, -1]]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ("7\t0\t9\tfood\t5\n", r"events\.tsv:1: field 'item' has '9'; expected an item number"),
        ("7\t0\t1\tfood\tx\n", r"events\.tsv:1: field 'seconds' has 'x'; expected an integer"),
        ("7\t0\n", r"events\.tsv:1: field 'line' has '2 fields"),
        ("", "has no events"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, events: str, message: str) -> None:
    write(tmp_path, items_DOT_tsv=AFK_ITEMS, events_DOT_tsv=events)
    with pytest.raises(DataError, match=message):
        read_events(tmp_path)


def test_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be recognised; name it, one of jsonl"):
        read_events(tmp_path)
    with pytest.raises(DataError, match="'xml' isn't known; use one of jsonl"):
        read_events(tmp_path, "xml")
    with pytest.raises(DataError, match="no such file or folder"):
        read_events(tmp_path / "nowhere")


def test_files_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "U.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="isn't UTF-8"):
        read_events(tmp_path, "taobao")


def test_by_time_is_stable(tmp_path: Path) -> None:
    write(tmp_path, U_DOT_csv="1,10,1,pv,5\n2,11,1,pv,3\n2,10,1,pv,5\n")
    assert read_events(tmp_path).by_time().tolist() == [1, 0, 2]
    assert read_events(tmp_path).time_ms.dtype == np.int64
