"""What training and serving agree on; free of torch, so that the worker can import it.

A bundle carries two ONNX graphs with these tensors (B is symbolic):

    step.onnx      state    float16 [B, S]    flat interest state, zeros for a new user
                   item     float32 [B, D]    input vector of the event's item
                   platform int64   [B]       index into ``Contract.platforms``
                   action   int64   [B]       index into ``Contract.actions``
                   dt       float32 [B]       seconds since the user's previous event, >= 0
                -> next_state float16 [B, S]
    migrate.onnx   state     float16 [B, S]
                -> interests float32 [B, P, V]  one vector per target platform

A bundle may also carry the step in two halves, which give the same bits:

    enter.onnx     item_half float16 [B, D], platform, action, dt -> tensors [B, ...]
    recur.onnx     state, those tensors -> next_state float16 [B, S]

and with these the second half over T events of each of B users in one call:

    chain.onnx     state, those tensors [T, B, ...] -> next_states float16 [T, B, S]

The state is rounded to float16 inside the graph: what is stored is what is served, so a
state doesn't depend on how events were cut into batches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

FORMAT: Final = 1
ACTIONS: Final = ("browse", "click", "purchase", "cart", "favourite", "refund")

HALVES: Final = ("enter.onnx", "recur.onnx")
CHAIN: Final = "chain.onnx"
STEP_INPUTS: Final = ("state", "item", "platform", "action", "dt")
STEP_OUTPUTS: Final = ("next_state",)
MIGRATE_INPUTS: Final = ("state",)
MIGRATE_OUTPUTS: Final = ("interests",)


@dataclass(frozen=True, slots=True)
class Contract:
    """Dimensions and vocabularies of a bundle.

    Attributes:
        platforms: platform names; the position is the model's platform index (P of them).
        actions: action names; the position is the model's action index.
        item_dim: D, length of an item's input vector.
        state_size: S, length of the flat interest state.
        vector_dim: V, length of an interest vector and of an item's output vector.
        trend_days: J windows; the last J columns of an output vector are log(1 + events of the
            item in the last so many days), which whoever ranks keeps fresh
            (``models.items.trend``); 36,500 where the training data had no times: all events
            there are.
        format: version of this contract.
    """

    platforms: tuple[str, ...]
    actions: tuple[str, ...]
    item_dim: int
    state_size: int
    vector_dim: int
    trend_days: tuple[float, ...] = ()
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Contract:
        """Read a manifest's contract.

        Raises:
            ValueError: a field is missing, unknown, or of the wrong format version.
        """
        expected = set(cls.__slots__)
        if set(raw) | {"trend_days"} != expected:  # bundles of before 0.3 have no trend
            raise ValueError(f"contract has fields {sorted(raw)}, expected {sorted(expected)}")
        if raw["format"] != FORMAT:
            raise ValueError(f"contract format is {raw['format']!r}, this version reads {FORMAT}")
        return cls(
            platforms=tuple(raw["platforms"]),
            actions=tuple(raw["actions"]),
            item_dim=int(raw["item_dim"]),
            state_size=int(raw["state_size"]),
            vector_dim=int(raw["vector_dim"]),
            trend_days=tuple(float(days) for days in raw.get("trend_days", ())),
        )


def content_id(contract: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> str:
    """12 hexadecimal digits that depend on the contract and the files' checksums only."""
    digests = {name: entry["sha256"] for name, entry in files.items()}
    text = json.dumps([contract, digests], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
