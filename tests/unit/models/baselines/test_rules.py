"""Rules that a team gives in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.baselines import CategoryRules, NotApplicableError, read_rules
from models.errors import DataError
from tests.unit.models.baselines.films import scores

HEAD = "platform,category,target,target_category,strength\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "rules.csv"
    file.write_text(text)
    return file


def test_given_rules_take_the_place_of_learned_ones(tmp_path: Path) -> None:
    """Ann had a film of space and one of cook: half of each strength counts."""
    rules = "film,cook,book,farm,0.8\nfilm,space,book,cook,0.2\nradio,x,book,space,9\n"
    given = read_rules(write(tmp_path, HEAD + rules))
    assert given[0].source == ("film", "cook")
    assert scores(CategoryRules(given)) == pytest.approx([0, 0.1, 0.4], abs=1e-3)


def test_rules_that_fit_nothing_are_said(tmp_path: Path) -> None:
    given = read_rules(write(tmp_path, HEAD + "radio,x,book,space,1\n"))
    with pytest.raises(NotApplicableError, match="the categories of no given rule"):
        scores(CategoryRules(given))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "the first line lacks platform, category, target, target_category, strength"),
        ("", "the first line lacks"),
        (HEAD + "film,,book,farm,1\n", "line 2: category is empty"),
        (HEAD + "film,cook,book\n", "line 2: target_category is empty"),
        (HEAD + "film,cook,book,farm,much\n", "line 2: strength 'much' is no number"),
        (HEAD + "film,cook,book,farm,-1\n", "line 2: strength '-1' is no number of at least 0"),
        (HEAD + "film,cook,book,farm,inf\n", "line 2: strength 'inf'"),
        (HEAD + "film,cook,book,farm,nan\n", "line 2: strength 'nan'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rules(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: can't be read"):
        read_rules(tmp_path / "none.csv")
