import pytest

from models.config import PRESETS, parse_changes, preset
from models.errors import ModelError


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_state_is_at_most_a_kilobyte(name: str) -> None:
    assert 2 * PRESETS[name].model.state_size <= 1024


def test_changes_reach_the_part_that_has_the_setting_and_none_changes_nothing() -> None:
    made = preset("base", seed=5, dim=32, epochs=None)
    assert (made.train.seed, made.model.dim) == (5, 32)
    assert made.train.epochs == PRESETS["base"].train.epochs


def test_unknown_presets_and_settings_are_named() -> None:
    with pytest.raises(ModelError, match="'huge' isn't known; use one of base, small"):
        preset("huge")
    with pytest.raises(ModelError, match="colour"):
        preset("base", colour=1)


def test_changes_are_values_of_their_own_kind() -> None:
    given = ["dropout=0.2", "trend_days=()", "actions=purchase:4", "dim=32", "dim=16"]
    assert parse_changes(given) == {
        "dropout": 0.2, "trend_days": (), "actions": "purchase:4", "dim": 16,
    }  # fmt: skip
    for text in ("dim", "=3"):
        with pytest.raises(ModelError, match="isn't NAME=VALUE"):
            parse_changes([text])
