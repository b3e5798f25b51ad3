"""What a training is asked for beside its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of ``train``, as a bundle's manifest tells them.

    Attributes:
        data: name of the folder or file that the events were read from.
        changes: settings that differ from the preset's, each ``NAME=VALUE``.
        seed: of the split.
        protocol: keeps its test events out of training; None trains on all but each user's last.
        ties: order of events of one time, ``file`` or ``shuffled``.
        preset: one of ``models.config.PRESETS``.
        text: title encoder: ``hashed``, ``minilm``, or the folder of a transformers model.
    """

    data: str
    changes: Sequence[str] = ()
    seed: int = 0
    protocol: str | None = None
    ties: str = "file"
    preset: str = "base"
    text: str = "hashed"

    def about(self, events: int, users: int) -> dict[str, Any]:
        """What a manifest says of the data and how it was split."""
        return {
            "data": self.data,
            "events": events,
            "users": users,
            "protocol": self.protocol or "none",
            "ties": self.ties,
        }
