from __future__ import annotations

import io
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from streams.demo.board import Happened, Move, Story
from streams.demo.judge import Verdict
from streams.demo.simulator.catalogue import shelves
from streams.demo.view import Snapshot, frame, plain_rates, plain_story, summary, wrap_command

ITEMS = shelves()["shop"].items
COMMAND = ".venv/bin/interest-stream send shop click --user mira-03 --item s123"


def story(by_hand: bool = False) -> Story:
    film = shelves()["video"].items[4]
    event = Happened("ada-01", "video", "click", film, 1, by_hand)
    moves = (Move(ITEMS[0], 12, 1), Move(ITEMS[1], 2, 2), Move(ITEMS[2], 0, 3))
    return Story(event, 2, "shop", True, moves, 1.0)


VERDICT = Verdict(280, 0.61, 0.18, 0.01, (40, 0.5, 0.2), {"shop": (200, 0.6, 0.2)})


def snapshot(told: Story | None, verdict: Verdict | None = VERDICT) -> Snapshot:
    earlier = (story(),) if told else ()
    latency = 0.02 if told else None
    return Snapshot(
        "day 4, 07:30", 300, 12_345, 9_876, 231.0, 600.0, latency, latency,
        told, earlier, verdict, COMMAND,
    )  # fmt: skip


def test_interest_is_told_in_words_where_the_bundle_has_labels() -> None:
    told = replace(story(), labels=(("Baking", 0.412), ("Camping", 0.2)))
    words = "in words: Baking 41%, Camping 20%"
    assert plain_story(told, "day 1")[2] == f"  {words}"
    assert words in shown(snapshot(told), 60)
    assert "in words" not in "\n".join(plain_story(story(), "day 1"))


def shown(now: Snapshot, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        console.print(frame(now, width))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_frame_fits_and_tells_who_did_what_and_what_moved(width: int) -> None:
    lines = shown(snapshot(story()), width)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    assert len(lines) <= 24
    assert "ada-01 clicked on video (and 2 more)" in text
    assert shelves()["video"].items[4].title in text
    assert "so shop now puts first for ada-01 (new there):" in text
    assert f"  1. was 12   {ITEMS[0].title}" in text
    assert f"  2. as was   {ITEMS[1].title}" in text
    assert f"  3. new      {ITEMS[2].title}" in text
    assert "20 ms, p99 20 ms" in text


@pytest.mark.parametrize("width", [60, 80])
def test_the_line_to_copy_is_whole(width: int) -> None:
    text = "\n".join(shown(snapshot(story()), width))
    start = text.index(".venv/bin/interest-stream send")
    copied = text[start:].replace("\\\n", " ")
    assert shlex.split(copied)[:8] == COMMAND.split()


def test_the_first_frame_has_nothing_to_tell_yet() -> None:
    text = "\n".join(shown(snapshot(None, None), 60))
    assert "waiting for the first vectors" in text
    assert "nothing to judge yet" in text


def test_an_event_by_hand_is_yours() -> None:
    text = "\n".join(shown(snapshot(story(by_hand=True)), 80))
    assert "you: ada-01 clicked on video" in text
    assert "so on shop these rose for ada-01:" in text
    assert plain_story(story(by_hand=True), "day 1")[0].startswith("[day 1] you: ada-01 ")


def test_plain_lines_have_no_control_codes_and_no_letters_outside_ascii() -> None:
    lines = [*plain_story(story(), "day 4, 07:30"), plain_rates(snapshot(story()))]
    text = "\n".join([*lines, *summary(VERDICT, {"events in": 10.0}, 20.0, (0.1, 0.2), 0)])
    assert text.isascii()
    assert all(line.isprintable() for line in text.splitlines())
    assert "(was 12)" in text


@given(st.integers(30, 200))
def test_a_wrapped_command_is_the_same_command(width: int) -> None:
    lines = wrap_command(COMMAND, width)
    assert all(len(line) <= max(width, 29) for line in lines)
    assert shlex.split("\n".join(lines).replace("\\\n", " ")) == COMMAND.split()


def test_the_summary_says_by_how_much_or_what_failed() -> None:
    counts = {"events in": 12_345.0, "vectors out": 9.0}
    good = summary(VERDICT, counts, 20.0, (0.02, 0.05), 0)
    assert good[0] == "in 20 s: 12,345 events in, 9 vectors out"
    assert good[1] == "from an event to its vector: 20 ms, 99% within 50 ms"
    assert good[-1].startswith("OK: ")
    assert "0.610 against 0.180, +0.430" in good[-1]
    bad = Verdict(280, 0.18, 0.17, 0.01, (0, 0.0, 0.0), {})
    assert summary(bad, {}, 1.0, None, 0)[-1].startswith("FAILED: vectors don't follow")
    none = Verdict(0, 0.0, 0.0, float("inf"), (0, 0.0, 0.0), {})
    assert summary(none, {}, 1.0, None, 0)[-1] == "FAILED: no vector was published"
    lost = summary(VERDICT, {}, 1.0, None, 3)[-1]
    assert lost == "FAILED: 3 events were sent and not applied"
