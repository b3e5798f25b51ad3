"""Values of the labels called ``reason``, with what each means."""

from __future__ import annotations

from typing import Final

SKIP_REASONS: Final = {
    "duplicate": "the same event is in the user's window already",
    "late": "older than the window, or than what can still be put in order, when it came",
    "replayed": "read again after a crash or a rebalance, and in the state already",
    "repeated": "its source record reached the log twice",
    "unplaceable": "part of a merged history that has no place in the user's window any more",
    "denied": "its user lets no target use its source",
    "erased": "its user was erased after it, or is refused since",
    "empty_value": "a record without a value",
    "other_event": "of the platform's format, but no interaction with an item",
}

REFUSAL_REASONS: Final = {
    "damaged": "a file is missing, incomplete or not what the manifest says, or the graphs don't"
    " give the golden outputs",
    "other_content": "the folder holds another bundle than the one that was announced",
    "platforms": "it lacks a configured platform, or has the present one's in another order",
    "actions": "it numbers the actions otherwise",
    "state_size": "its states are larger than `bundles.max_state_size`",
    "provider": "the ONNX provider that is asked for doesn't run it",
}
