"""The terminal table, from known figures."""

from __future__ import annotations

from models.evaluation.run import Run
from models.report.assemble import report
from models.report.comparisons import ablations
from models.report.figures import method_figures
from models.report.text import text_table, time_remark
from tests.unit.models.report.results import result, run

ABOUT = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}


def test_actions_have_lines_where_there_are_several() -> None:
    several = Run(results={"model": [result(0.2, groups=2)]}, ours=["model"])
    text = text_table(report(several, None, ABOUT))
    assert "model, next event on shop by action" in text
    assert "purchase   hr@5 0.3000" in text
    assert "next event" not in text_table(report(run(), None, ABOUT))


def test_the_table_fits() -> None:
    found = report(run(), Run(results={"weak": [result(0.1)]}), ABOUT)
    text = text_table(found)
    assert "shop (40 cases)" in text
    assert "with tied timestamps shuffled" in text
    assert "1.33 times strong" in text
    assert "not run: rules: no item has a category" in text
    assert max(map(len, text.splitlines())) <= 100


def test_ablations_and_sizes_have_lines_in_the_terminal() -> None:
    found = report(run(), None, ABOUT) | {
        "compared": {"part": "validation", "seeds": [0], "ties": "file"},
        "ablations": ablations(run(), "model", {"weak": (("cold=0.0",), "")}),
        "sizes": {"model": method_figures([result(0.4)])},
        "speed": {"model": {"step_us_batch_1": 40.0}},
    }
    text = text_table(found)
    assert "of the same seed, validation cases, 1 seed" in text
    assert "-0.2000 (-0.2000 to -0.2000)" in text
    assert "model         40 µs  shop 0.4000" in text
    assert max(map(len, text.splitlines())) <= 100


def test_ablations_have_a_line_for_the_next_purchase_where_there_are_others() -> None:
    results = {"weak": [result(0.2, groups=2)], "model": [result(0.5, groups=2)]}
    several = Run(results=results, ours=["model"])
    found = report(several, None, ABOUT) | {
        "compared": {"part": "validation", "seeds": [0], "ties": "file"},
        "ablations": ablations(several, "model", {"weak": (("cold=0.0",), "")}),
    }
    text = text_table(found)
    assert "The same where the next event on shop is a purchase (20 cases)" in text
    assert "0.3000  -0.3000 (-0.3000 to -0.3000)" in text
    found["ablations"] = ablations(run(), "model", {"weak": (("cold=0.0",), "")})
    assert "a purchase" not in text_table(found)


def test_the_report_says_who_sees_the_time_of_the_ranked_event() -> None:
    named = ABOUT | {"sees_time": ["model", "model", "model, else pop-30d"]}
    text = text_table(report(run(), None, named))
    assert "model, model, else pop-30d: the trend sees when" in text
    assert max(map(len, text.splitlines())) <= 100
    assert time_remark(ABOUT | {"sees_time": []}) == ""
    assert "the trend" not in text_table(report(run(), None, ABOUT))


def test_several_seeds_show_their_spread() -> None:
    about = ABOUT | {"seeds": [0, 1]}
    text = text_table(report(Run(results={"m": [result(0.2), result(0.2)]}), None, about))
    assert "2 seeds, mean ± standard deviation" in text
    assert "0.2000±0.0000" in text
