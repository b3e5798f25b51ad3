"""How the demo looks: as a live frame in a terminal, as plain lines in a pipe. Pure.

Nothing is cut in the middle of what a person may want to copy, and 60 columns are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Group
from rich.rule import Rule
from rich.text import Text

from streams.demo.board import Happened, Move, Story
from streams.demo.judge import Verdict

WIDEST: Final = 100
WITH_CATEGORY: Final = 76
BAR: Final = 30
DONE: Final = {"browse": "looked at", "click": "clicked", "purchase": "purchased"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a frame shows.

    Attributes:
        when: simulated time, readable.
        people: how many are simulated.
        events: events sent so far.
        vectors: vectors received so far.
        events_per_s, vectors_per_s: over the last seconds.
        p50_s, p99_s: from an event to its vector; None before the first.
        story: what to tell now.
        earlier: what was told before, newest first.
        verdict: how well vectors follow the truth so far.
        send_line: the command for a second terminal.
    """

    when: str
    people: int
    events: int
    vectors: int
    events_per_s: float
    vectors_per_s: float
    p50_s: float | None
    p99_s: float | None
    story: Story | None
    earlier: tuple[Story, ...]
    verdict: Verdict | None
    send_line: str


def frame(now: Snapshot, width: int) -> Group:
    """The live view, at most ``WIDEST`` columns wide."""
    width = min(width, WIDEST)
    lines: list[Text | Rule] = [*_head(now, width), _rule()]
    lines += _story(now.story, width) if now.story else _waiting()
    lines += [_rule("earlier"), *(_earlier(story, width) for story in now.earlier)]
    lines += [_rule("does it follow what people are really into? (NDCG@10)")]
    lines += _verdict(now.verdict, width)
    lines += [_rule("your turn, in a second terminal (Ctrl-C ends this)")]
    lines += [Text(line, "bold cyan", no_wrap=True) for line in wrap_command(now.send_line, width)]
    for line in lines:
        if isinstance(line, Text):
            line.truncate(width, overflow="ellipsis")
    return Group(*lines)


def plain_story(story: Story, when: str) -> list[str]:
    """A story as lines of text without control codes."""
    event = story.event
    you = "you: " if event.by_hand else ""
    lines = [
        f"[{when}] {you}{_who(event)}{_more(story)}: {event.item.title} ({event.item.category})"
    ]
    lines.append(f"  {_so(story)}")
    lines += [f"  {line}" for line in _in_words(story)]
    return lines + [f"   {m.after:>3}. {m.item.title} ({_was(m)})" for m in story.moves]


def plain_rates(now: Snapshot) -> str:
    """The rates as one line of text."""
    return f"[{now.when}] {_rates(now)}"


def summary(
    verdict: Verdict,
    sent: Mapping[str, float],
    seconds: float,
    latencies: tuple[float, float] | None,
    missing: int,
) -> list[str]:
    """The last words: counts, then the judgement.

    Args:
        verdict: over everybody.
        sent: label to count, in the order to show.
        seconds: how long the demo ran.
        latencies: median and 99th percentile from event to vector, in seconds.
        missing: events that were sent and that the worker hasn't accounted for.
    """
    counts = ", ".join(f"{value:,.0f} {label}" for label, value in sent.items())
    lines = [f"in {seconds:.0f} s: {counts}"]
    if latencies is not None:
        median, high = (1000.0 * value for value in latencies)
        lines.append(f"from an event to its vector: {median:.0f} ms, 99% within {high:.0f} ms")
    lines.append("")
    lines.append("The ten items ranked first, against what people are really into (NDCG@10):")
    lines.append(f"  {'platform':<22} {'people':>7} {'by vector':>10} {'by popularity':>14}")
    rows = {**verdict.by_target, "new to the platform": verdict.newcomers}
    for name, (people, vectors, popular) in rows.items():
        if people:
            lines.append(f"  {name:<22} {people:>7,} {vectors:>10.3f} {popular:>14.3f}")
    total = f"  {'all':<22} {verdict.people:>7,} {verdict.vectors:>10.3f} {verdict.popular:>14.3f}"
    return [*lines, total, "", _conclusion(verdict, missing)]


def wrap_command(line: str, width: int) -> list[str]:
    """A command in lines of at most ``width`` that still can be copied and run."""
    lines: list[str] = []
    current = ""
    for word in line.split(" "):
        if current and len(current) + 1 + len(word) + 2 > width:
            lines.append(current + " \\")
            current = "   " + word
        else:
            current = f"{current} {word}" if current else word
    return [*lines, current]


def _conclusion(verdict: Verdict, missing: int) -> str:
    if not verdict.people:
        return "FAILED: no vector was published"
    if missing:
        return f"FAILED: {missing:,} events were sent and not applied"
    figures = (
        f"{verdict.vectors:.3f} against {verdict.popular:.3f}, "
        f"{verdict.gain:+.3f} (standard error {verdict.error:.3f})"
    )
    if verdict.follows:
        return f"OK: vectors follow people's interests better than popularity: {figures}"
    return f"FAILED: vectors don't follow people's interests better than popularity: {figures}"


def _head(now: Snapshot, width: int) -> list[Text]:
    first = Text(no_wrap=True)
    first.append("interest-stream", "bold")
    first.append(f"  {now.people} people on video, shop and news")
    when = f"simulated {now.when}"
    first.append(when.rjust(max(2, width - first.cell_len)) if width >= WITH_CATEGORY else "")
    lines = [first] if width >= WITH_CATEGORY else [first, Text(when, "dim")]
    return [*lines, Text(_rates(now, "event to vector " if width >= WITH_CATEGORY else ""))]


def _rates(now: Snapshot, label: str = "event to vector ") -> str:
    text = f"{now.events:,} events ({now.events_per_s:,.0f}/s) -> {now.vectors:,} vectors"
    if now.p50_s is not None and now.p99_s is not None:
        text += f" | {label}{now.p50_s * 1000:.0f} ms, p99 {now.p99_s * 1000:.0f} ms"
    return text


def _story(story: Story, width: int) -> list[Text]:
    event = story.event
    head = Text(no_wrap=True)
    head.append("you: " if event.by_hand else "", "bold yellow")
    head.append(_who(event) + _more(story), "bold")
    title = Text(f"  {event.item.title}", "cyan", no_wrap=True)
    lines = [head, _with_category(title, event.item.category, width), Text(_so(story), "bold")]
    lines += [Text(line, "dim", no_wrap=True) for line in _in_words(story)]
    return lines + [_move(move, width) for move in story.moves]


def _waiting() -> list[Text]:
    return [Text("waiting for the first vectors ...", "dim")]


def _move(move: Move, width: int) -> Text:
    line = Text(no_wrap=True)
    line.append(f"{move.after:>3}. ", "bold")
    up = not move.before or move.before > move.after
    style = "green" if up else "dim"
    line.append(f"{_was(move):<8} ", "bold green" if up else "dim")
    line.append(move.item.title, style)
    return _with_category(line, move.item.category, width)


def _with_category(line: Text, category: str, width: int) -> Text:
    """Put the category at the right end, where there is room for both."""
    room = width - line.cell_len - len(category)
    if width >= WITH_CATEGORY and room >= 2:
        line.append(" " * room + category, "dim")
    return line


def _earlier(story: Story, width: int) -> Text:
    event, move = story.event, max(story.moves, key=lambda m: m.before - m.after)
    text = f"{_who(event)} -> {story.target}: {move.before} to {move.after} {move.item.title}"
    return Text(text, "dim", no_wrap=True)


def _verdict(verdict: Verdict | None, width: int) -> list[Text]:
    if verdict is None or not verdict.people:
        return [Text("  nothing to judge yet", "dim")]
    lines = [
        _bar("top ten by vector", verdict.vectors, "green", width),
        _bar("by popularity", verdict.popular, "yellow", width),
    ]
    count, vectors, _ = verdict.newcomers
    if count:
        lines.insert(1, _bar(f"where they're new ({count})", vectors, "green", width))
    return lines


def _bar(label: str, share: float, style: str, width: int) -> Text:
    room = max(10, min(BAR, width - 34))
    full = round(max(0.0, min(1.0, share)) * room)
    line = Text(f"  {label:<23} {share:.2f} ", no_wrap=True)
    line.append("━" * full, style)
    return line


def _rule(title: str = "") -> Rule:
    return Rule(title, style="bright_black", align="left")


def _who(event: Happened) -> str:
    return f"{event.user} {DONE.get(event.action, event.action)} on {event.platform}"


def _so(story: Story) -> str:
    if story.event.by_hand:
        return f"so on {story.target} these rose for {story.event.user}:"
    new = " (new there)" if story.newcomer else ""
    return f"so {story.target} now puts first for {story.event.user}{new}:"


def _in_words(story: Story) -> list[str]:
    """The labels of the vector, where the bundle has any."""
    if not story.labels:
        return []
    return ["in words: " + ", ".join(f"{name} {share:.0%}" for name, share in story.labels)]


def _more(story: Story) -> str:
    return f" (and {story.others} more)" if story.others else ""


def _was(move: Move) -> str:
    if not move.before:
        return "new"
    return "as was" if move.before == move.after else f"was {move.before}"
