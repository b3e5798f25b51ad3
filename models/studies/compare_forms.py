"""What float16, int8 and pruning cost and gain: every form of a model on the same cases."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from export.parity import lone_row
from export.pipeline import export_bundle
from models.contract import Contract
from models.data.table import EventTable, shuffle_ties
from models.evaluation.results import evaluate_method
from models.evaluation.served import Float32, ServedBundle, state_type
from models.evaluation.session import open_session
from models.metrics.ranking_metrics import Float64
from models.protocols import split_for
from models.protocols.cases import Split
from models.studies.forms import REFERENCE, SHIPS, Feeds, Form, forms
from models.studies.forms_speed import Calls, alternating
from models.training.checkpoint import Checkpoint

CASES: Final = 5_000
FIGURES: Final = ("hr@10", "ndcg@10")
# Events that the static int8 forms are calibrated on.
_SAMPLE: Final = 512


@dataclass(frozen=True)
class Served:
    """What one form makes of the cases.

    Attributes:
        metrics: target -> figure -> float64 [n], each of ``FIGURES`` and ``mrr``.
        vectors: target -> interest vectors float32 [n, V].
    """

    metrics: Mapping[str, Mapping[str, Float64]]
    vectors: Mapping[str, Float32]


def compare(
    checkpoint: Checkpoint,
    table: EventTable,
    most: int = CASES,
    told: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Size, speed and quality of every form, through the graphs in ONNX Runtime.

    Args:
        checkpoint: the trained model.
        table: the data that it was trained on.
        most: rank at most so many validation cases, the same for all forms.
        told: gets the name of each form before it is measured.

    Raises:
        DataError: the data has a platform that the model doesn't know, or is too little.
        ExportError: what ships disagrees with torch.
    """
    split = validation_of(checkpoint, table, most)
    contract = checkpoint.network.contract
    served: dict[str, Served] = {}
    with tempfile.TemporaryDirectory() as scratch:
        ships = Path(scratch) / "ships"
        export_bundle(checkpoint, ships)
        step, migrate = (ships / "step.onnx").read_bytes(), (ships / "migrate.onnx").read_bytes()
        every = forms(checkpoint, step, migrate, sample_of(ships, split))
        for form in every:
            told(form.name)
            served[form.name] = serve(form, ships, split)
    told("speed")
    calls = alternating(contract, {form.name: (form.step, form.migrate) for form in every})
    about = {"protocol": split.protocol, "part": "validation", "cases": len(split.validation)}
    rows = [
        {"name": form.name}
        | _properties(form, contract)
        | _speed(calls[form.name], calls[SHIPS])
        | _quality(served[form.name], served[REFERENCE])
        for form in every
    ]
    return about | {"reference": REFERENCE, "ships": SHIPS, "forms": rows}


def validation_of(checkpoint: Checkpoint, table: EventTable, most: int) -> Split:
    """The split of the model's own training, with at most so many validation cases alone.

    Raises:
        DataError: too little is left.
    """
    training = checkpoint.training
    if training.get("ties") == "shuffled":
        table = shuffle_ties(table)
    protocol = None if training["protocol"] == "none" else training["protocol"]
    split = split_for(table, protocol, training["train"]["seed"])
    order = np.random.default_rng(0).permutation(len(split.validation))
    chosen = split.validation.select(np.sort(order[:most]))
    return replace(split, validation=chosen, test=chosen.select(slice(0, 0)))


def sample_of(ships: Path, split: Split) -> Feeds:
    """Inputs of the shipped step graph at some training events."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(split.train))[:_SAMPLE]
    return ServedBundle(ships).step_inputs(split.table, np.sort(rows))


def serve(form: Form, ships: Path, split: Split) -> Served:
    """Step through the histories and rank, in a copy of the shipped folder."""
    folder = ships.with_name("form")
    shutil.copytree(ships, folder)
    for name, content in (form.graphs | dict(form.files)).items():
        (folder / name).write_bytes(content)
    method, cases = ServedBundle(folder), split.validation
    found = evaluate_method(method, split, 0, cases).targets
    shutil.rmtree(folder)
    target = {name: split.table.platforms.index(name) for name in found}
    return Served(
        {name: result.metrics for name, result in found.items()},
        {
            name: method.interests(cases.select(result.cases), target[name])
            for name, result in found.items()
        },
    )


def _speed(calls: Calls, ships: Calls) -> dict[str, Any]:
    return {"speed": calls.figures(), "times_as_fast": calls.times_as_fast(ships)}


def _properties(form: Form, contract: Contract) -> dict[str, int | bool]:
    steps, migrations = open_session(form.step), open_session(form.migrate)
    stored = state_type(steps)
    return {
        "graph_bytes": len(form.step) + len(form.migrate),
        "graph_bytes_compressed": len(zlib.compress(form.step)) + len(zlib.compress(form.migrate)),
        "items_bytes": form.items_bytes,
        "state_bytes": contract.state_size * np.dtype(stored).itemsize,
        "same_in_any_batch": lone_row(contract, steps, migrations, stored) is None,
    }


def _quality(served: Served, reference: Served) -> dict[str, Any]:
    """Figures of each target and their mean, beside the reference's on the same cases."""
    changes = {
        name: figures["ndcg@10"] - reference.metrics[name]["ndcg@10"]
        for name, figures in served.metrics.items()
    }
    targets = {
        name: {one: _rounded(figures[one].mean()) for one in FIGURES}
        | {"change": _rounded(changes[name].mean()), "error": _rounded(_error([changes[name]]))}
        for name, figures in served.metrics.items()
    }
    means = {
        one: _rounded(np.mean([figures[one].mean() for figures in served.metrics.values()]))
        for one in FIGURES
    }
    means["change"] = _rounded(np.mean([change.mean() for change in changes.values()]))
    means["error"] = _rounded(_error(list(changes.values())))
    moved = [
        figures["mrr"] != reference.metrics[name]["mrr"] for name, figures in served.metrics.items()
    ]
    return {
        "targets": targets,
        "mean": means,
        "ranks_moved": _rounded(np.concatenate(moved).mean()),
        "vectors_differ": _differ(served, reference),
    }


def _error(changes: Sequence[Float64]) -> float:
    """Standard error of the mean over targets of the mean over a target's cases."""
    squares = [change.var() / len(change) for change in changes]
    return float(np.sqrt(np.sum(squares)) / len(squares))


def _differ(served: Served, reference: Served) -> float:
    """Largest difference of a vector's number, relative to the largest number there is."""
    pairs = [(served.vectors[name], wanted) for name, wanted in reference.vectors.items()]
    worst = max(float(np.abs(got - wanted).max()) for got, wanted in pairs)
    scale = max(1.0, *(float(np.abs(wanted).max()) for _, wanted in pairs))
    return float(f"{worst / scale:.2g}")


def _rounded(value: float) -> float:
    return round(float(value), 7)
