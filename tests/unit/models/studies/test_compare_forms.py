"""``export --compare``: sizes, speed and quality of every form, on the same cases."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.cli import export, train
from models.config import PRESETS
from models.data.read import read_events
from models.data.table import shuffle_ties
from models.errors import ModelError
from models.studies.compare_forms import validation_of
from models.studies.forms import REFERENCE, SHIPS
from models.studies.forms_speed import Calls, alternating
from models.studies.forms_table import text_table
from models.training.checkpoint import Checkpoint
from models.training.train import train as train_model
from tests.native_files import write_jsonl
from tests.people import people_table
from tests.unit.models.cli.test_train import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events, a checkpoint trained on them, and the comparison's report."""
    made = tmp_path_factory.mktemp("compare")
    write_jsonl(people_table(), made / "data")
    with pytest.MonkeyPatch.context() as patch:
        small = PRESETS["small"]
        model = replace(small.model, dim=32, hidden=32, text_dim=16, title_dim=16)
        patch.setattr("models.config.PRESETS", {"base": replace(small, model=model)})
        patch.setattr("export.parity.CHAIN", 10)
        patch.setattr("models.studies.compare_forms.alternating", partial(alternating, rounds=2))
        trained(made / "data", "--epochs=3", "--protocol=abxi", "--ties=shuffled").save(
            made / "model.pt"
        )
        assert run(export, str(made / "model.pt"), "--compare", str(made / "data"),
                   "--cases=50") == 0  # fmt: skip
    return made


def trained(data: Path, *given: str) -> Checkpoint:
    """What ``train`` exports."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    args = parser.parse_args([str(data), "--out=unused", *given])
    return train_model(shuffle_ties(read_events(data)), train.options_of(args))


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "model.compare.json").read_text("utf-8"))
    return read


@pytest.fixture(scope="module")
def forms(found: dict[str, Any]) -> dict[str, Any]:
    return {form["name"]: form for form in found["forms"]}


def test_every_form_is_measured_on_the_same_cases(
    found: dict[str, Any], forms: dict[str, Any]
) -> None:
    assert (found["protocol"], found["part"], found["cases"]) == ("abxi", "validation", 50)
    assert list(forms) == [
        SHIPS, REFERENCE, "float32 state", "int8 step, static", "int8 vectors, static",
        "int8 both, static", "int8 items",
    ]  # fmt: skip
    for form in forms.values():
        assert set(form["targets"]) == {"video", "shop"}
        assert 0 < form["mean"]["ndcg@10"] <= form["mean"]["hr@10"] <= 1
        assert min(form["times_as_fast"].values()) > 0
        assert form["speed"]["step_us_batch_1"] > 0


def test_changes_and_differences_are_against_float32(forms: dict[str, Any]) -> None:
    reference, ships = forms[REFERENCE], forms[SHIPS]
    assert reference["mean"]["change"] == reference["mean"]["error"] == 0
    assert reference["vectors_differ"] == reference["ranks_moved"] == 0
    assert 0 < ships["vectors_differ"] < 2**-6
    step = ships["mean"]["ndcg@10"] - reference["mean"]["ndcg@10"]
    assert ships["mean"]["change"] == pytest.approx(step, abs=2e-5)
    assert forms["int8 both, static"]["vectors_differ"] > ships["vectors_differ"]
    assert forms["int8 both, static"]["ranks_moved"] > ships["ranks_moved"]
    assert set(ships["times_as_fast"].values()) == {1.0}


def test_sizes_are_those_of_what_is_stored(forms: dict[str, Any]) -> None:
    ships, reference = forms[SHIPS], forms[REFERENCE]
    assert reference["state_bytes"] == 2 * ships["state_bytes"] == 4 * (2 * 32 + 32 + 16)
    assert reference["items_bytes"] == 2 * ships["items_bytes"]
    assert forms["int8 items"]["items_bytes"] < ships["items_bytes"]
    assert forms["int8 step, static"]["graph_bytes"] < ships["graph_bytes"]
    assert forms["int8 step, static"]["graph_bytes_compressed"] < ships["graph_bytes_compressed"]


def test_no_row_depends_on_its_batch(forms: dict[str, Any]) -> None:
    assert all(form["same_in_any_batch"] for form in forms.values())


def test_the_table_has_a_row_for_each_form(found: dict[str, Any]) -> None:
    lines = text_table(found).splitlines()
    assert [line.split("  ")[0] for line in lines[2:9]] == [form["name"] for form in found["forms"]]
    assert " yes " in lines[5]
    assert "case by case against float32" in lines[-2]


def test_the_cases_are_those_of_the_training(folder: Path) -> None:
    checkpoint = Checkpoint.load(folder / "model.pt")
    every = validation_of(checkpoint, people_table(), 10_000)
    some = validation_of(checkpoint, people_table(), 7)
    assert len(every.validation) == 60
    assert len(some.validation) == 7
    assert set(some.validation.row) <= set(every.validation.row)
    assert not len(some.test)
    assert not every.train[every.validation.row].any()


def test_nothing_asked_for_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="--out BUNDLE, --compare DATA, or both"):
        run(export, str(folder / "model.pt"))


def test_ratios_are_of_the_same_round() -> None:
    slow = Calls(*np.array([[2.0, 4.0, 2.0, 2.0], [20.0, 40.0, 20.0, 20.0]]).T)
    fast = Calls(*np.array([[1.0, 1.0, 1.0, 1.0], [10.0, 10.0, 10.0, 10.0]]).T)
    assert fast.times_as_fast(slow) == {
        "step_batch_1": 2.0, "migrate_batch_1": 4.0, "step_batch_64": 2.0, "both_batch_64": 2.0,
    }  # fmt: skip
    assert fast.figures()["step_us_batch_1"] == 5.5e6
