"""Ablations and sizes."""

from __future__ import annotations

from dataclasses import replace

from models.config import parse_changes, preset
from models.studies.variants import ABLATIONS, SIZES, TEXT, fitting
from models.training.action_weights import ActionWeights
from tests.people import people_table


def test_what_the_data_has_nothing_for_is_not_trained() -> None:
    table = people_table(titles=False)
    bare = replace(table, time_ms=0 * table.time_ms, action=0 * table.action)
    assert set(fitting(ABLATIONS, table)) < set(ABLATIONS)
    named = {need for one in fitting(ABLATIONS, bare).values() for need in [one.needs]}
    assert named == {"", "platforms", "bridge"}
    alone = replace(bare, platforms=bare.platforms[:1])
    left = {"only the next event", "without trend", "without the bridge"}
    assert set(fitting(ABLATIONS, alone)) == left


def test_a_text_encoder_reads_titles_and_not_categories() -> None:
    table = people_table()
    bare = [replace(items, titles=["" for _ in items.titles]) for items in table.items]
    named = set(fitting(ABLATIONS, replace(table, items=tuple(bare))))
    assert "without titles of their own" in named, "a category's name is words as well"
    assert "MiniLM titles" not in named
    assert "MiniLM titles" in fitting(ABLATIONS, table)


def test_every_ablation_and_size_is_of_real_settings() -> None:
    for variant in (SIZES | ABLATIONS).values():
        named = [one for one in variant.changes if not one.startswith(TEXT)]
        chosen = preset("base", **parse_changes(named))
        assert bool(named) == (chosen != preset("base"))
        assert chosen.model.state_size <= 512
        ActionWeights.parse(chosen.train.actions)
