"""A small valid bundle with random weights, made without torch: for tests of the worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from export.bundle import BundleParts, PlatformItems, write_bundle
from models.contract import ACTIONS, Contract
from models.items.projector import TextProjector, TitleBasis, token_hashes
from tests.toy_graph import event_inputs, migrate_model, step_model

ITEM_DIM, STATE, VECTOR = 16, 32, 16
WORDS = ("red", "blue", "garden", "kitchen", "river", "rock", "jazz", "paper", "night", "sun")
F32 = npt.NDArray[np.float32]


def make_tiny_bundle(
    path: Path,
    platforms: Sequence[str] = ("video", "shop", "news"),
    items: int = 50,
    seed: int = 0,
) -> Path:
    """Write a bundle whose item ids are ``{platform}-{row}``; returns ``path``.

    The recurrence is real (decay by ``dt``, item, platform and action all count), the weights
    are random: another seed gives another bundle id.
    """
    write_bundle(path, tiny_parts(platforms, items, seed), created=datetime(2026, 1, 1, tzinfo=UTC))
    return path


def tiny_parts(platforms: Sequence[str], items: int = 50, seed: int = 0) -> BundleParts:
    """What ``make_tiny_bundle`` writes."""
    rng = np.random.default_rng(seed)
    contract = Contract(tuple(platforms), ACTIONS, ITEM_DIM, STATE, VECTOR)
    catalogue = {name: _catalogue(name, items, rng) for name in platforms}
    return BundleParts(
        contract=contract,
        step=_step_graph(len(platforms), rng),
        migrate=_migrate_graph(len(platforms), rng),
        items=catalogue,
        text=_projector(tuple(platforms), rng),
        metrics={"hr@10": 0.1},
        training={"seed": seed, "preset": "random weights"},
    )


def _catalogue(platform: str, count: int, rng: np.random.Generator) -> PlatformItems:
    titles = [" ".join(rng.choice(WORDS, 3, replace=False)) for _ in range(count)]
    return PlatformItems(
        ids=[f"{platform}-{row}" for row in range(count)],
        vectors_in=rng.standard_normal((count + 1, ITEM_DIM)),
        vectors_out=rng.standard_normal((count, VECTOR)),
        meta=[{"title": title, "category": title.split()[0]} for title in titles],
    )


def _projector(platforms: tuple[str, ...], rng: np.random.Generator) -> TextProjector:
    hashes = np.unique(np.concatenate([token_hashes(word) for word in WORDS]))
    basis = TitleBasis(hashes, np.ones(len(hashes), np.float32), _half(rng, len(hashes), 8))
    return TextProjector(
        platforms=platforms,
        basis=basis,
        in_weight=_weights(rng, 8, ITEM_DIM),
        in_offset=_weights(rng, len(platforms), ITEM_DIM),
        out_weight=_weights(rng, 8, VECTOR),
        out_offset=_weights(rng, len(platforms), VECTOR),
        cosine=VECTOR,
    )


def _half(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.float16]:
    return rng.standard_normal(shape).astype(np.float16)


def _weights(rng: np.random.Generator, *shape: int) -> F32:
    return (rng.standard_normal(shape) * 0.3).astype(np.float32)


def _step_graph(platforms: int, rng: np.random.Generator) -> bytes:
    """next = f16(exp(-0.1 log(1 + dt)) * state + tanh(item @ W + platform + action))."""
    constants: dict[str, npt.NDArray[Any]] = {
        "w": _weights(rng, ITEM_DIM, STATE),
        "platforms": _weights(rng, platforms, STATE),
        "actions": _weights(rng, len(ACTIONS), STATE),
        "one": np.array(1.0, np.float32),
        "rate": np.array(-0.1, np.float32),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        _node("Cast", ["state"], "h", to=TensorProto.FLOAT),
        _node("Add", ["dt", "one"], "dt1"),
        _node("Log", ["dt1"], "log"),
        _node("Mul", ["log", "rate"], "exponent"),
        _node("Exp", ["exponent"], "decay"),
        _node("Unsqueeze", ["decay", "axis"], "decay1"),
        _node("Mul", ["h", "decay1"], "kept"),
        _node("MatMul", ["item", "w"], "x"),
        _node("Gather", ["platforms", "platform"], "p"),
        _node("Gather", ["actions", "action"], "a"),
        _node("Add", ["x", "p"], "xp"),
        _node("Add", ["xp", "a"], "xpa"),
        _node("Tanh", ["xpa"], "new"),
        _node("Add", ["kept", "new"], "sum"),
        _node("Cast", ["sum"], "next_state", to=TensorProto.FLOAT16),
    ]
    events = event_inputs(ITEM_DIM, "item", "platform", "action", "dt")
    return step_model(nodes, STATE, events, constants)


def _migrate_graph(platforms: int, rng: np.random.Generator) -> bytes:
    constants: dict[str, npt.NDArray[Any]] = {
        "w": _weights(rng, STATE, platforms * VECTOR),
        "shape": np.array([-1, platforms, VECTOR], np.int64),
    }
    nodes = [
        _node("MatMul", ["h", "w"], "flat"),
        _node("Reshape", ["flat", "shape"], "interests"),
    ]
    return migrate_model(nodes, STATE, (platforms, VECTOR), constants)


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], **attributes)
