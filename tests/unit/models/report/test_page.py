"""The page is well formed, complete, and escapes what comes from outside."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from models.evaluation.run import Run
from models.report.assemble import report
from models.report.comparisons import ablations
from models.report.page import html_page
from models.report.plots import Line, bars, lines
from tests.unit.models.report.results import result

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def check(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    return checker


def test_actions_and_ablations_have_tables() -> None:
    run = Run(
        results={"less": [result(0.2, groups=2)], "model": [result(0.3, groups=2)]},
        ours=["model"],
    )
    about = {"data": "tiny", "protocol": "temporal", "part": "test", "seeds": [0]}
    found = report(run, None, about)
    settings = {"less": (("cold=0.0",), "trained in 3 s")}
    found |= {"ablations": ablations(run, "model", settings)}
    found |= {"compared": {"part": "validation", "seeds": [0], "ties": "file"}}
    words = check(html_page(found, {})).words
    assert "shop: NDCG@10 of the next event by action (cases)" in words
    assert "Ablations" in words
    assert "cold=0.0" in words
    assert "-0.1000 (-0.1000 to -0.1000)" in words
    assert "shop, purchases: change" in words
    assert "Validation cases, 1 seed" in " ".join(words)


def page(name: str = "model", epochs: int = 3) -> str:
    run = Run(
        results={"weak": [result(0.2, groups=2)], name: [result(0.3, groups=2)]},
        skipped={"rules": "no item has a category"},
        ours=[name],
    )
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    found = report(run, Run(results={"weak": [result(0.1)]}), about)
    curve = [{"loss": 1.0 / (at + 1), "score": 0.1 * at} for at in range(epochs)]
    return html_page(found, {name: curve})


def test_the_page_is_well_formed_and_has_its_parts() -> None:
    checker = check(page())
    words = " ".join(checker.words)
    for part in ("shop (40 cases)", "ties shuffled", "against the best baseline", "Not run"):
        assert part in words
    assert "new to target (20)" in words
    assert "NDCG@10 by events in the history" in words
    assert "loss by epoch" in words
    assert checker.seen["svg"] >= 4 + 4 + 1 + 2


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = page()
    assert "<script" not in text
    assert "http" not in text
    assert "src=" not in text


def test_names_are_escaped() -> None:
    text = page(name="<script>alert(1)</script>")
    assert "<script" not in text
    check(text)


def test_no_curve_without_epochs() -> None:
    assert "by epoch" not in page(epochs=0)


def test_bars_and_lines_of_nothing() -> None:
    check(bars("none", []))
    check(lines("none", [], []))
    check(lines("gap", ["1", "2"], [Line("a", [None, 0.0])]))


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.5])
def test_a_bar_stays_inside_the_plot(value: float) -> None:
    text = bars("b", [("a", value, 0.1), ("b", 1.0, 0.0)])
    widths = [float(part.split('"')[0]) for part in text.split('width="')[1:]]
    assert max(widths) <= 640


def test_several_sizes_are_a_table_and_a_curve() -> None:
    run = Run(results={"small": [result(0.2)], "model": [result(0.3)]}, ours=["model", "small"])
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    speed = {"step_us_batch_1": 40.0, "rows_per_s_batch_64": 200_000, "state_bytes": 1024}
    small = speed | {"step_us_batch_1": 30.0, "state_bytes": 512}
    found = report(run, None, about) | speed | {"speed": {"model": speed, "small": small}}
    words = " ".join(check(html_page(found, {})).words)
    assert "What a step costs" in words
    assert words.rindex("30 µs") < words.rindex("40 µs")
    assert "200,000" in words


def test_the_curve_of_a_study_has_no_other_variants() -> None:
    run = Run(results={"model": [result(0.3)], "small": [result(0.2)], "no titles": [result(0.1)]})
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    speed = {"step_us_batch_1": 40.0, "rows_per_s_batch_64": 200_000, "state_bytes": 1024}
    found = report(run, None, about) | {"speed": dict.fromkeys(run.results, speed)}
    sizes = {name: found["methods"][name] for name in ("model", "small")}
    curve = html_page(found | {"sizes": sizes}, {}).split("What a step costs")[1]
    assert "model" in curve
    assert "small" in curve
    assert "no titles" not in curve


def test_a_new_platform_has_a_curve_for_each_way() -> None:
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    figures = {"hr@5": 0.1, "hr@10": 0.2, "ndcg@10": 0.1, "mrr": 0.1}
    points = [
        {"share": share, "people": 9, "events": 1_200, "grown": figures, "scratch": figures}
        for share in (0.05, 0.2)
    ]
    found = report(Run(results={"model": [result(0.3)]}), None, about)
    growth = {"platform": "shop", "part": "validation", "seeds": [0, 1], "points": points}
    words = " ".join(check(html_page(found | {"growth": growth}, {})).words)
    assert "shop as a new platform" in words
    assert "20%: 1,200 events" in words
    assert "from nothing" in words
