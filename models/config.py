"""Settings of a model and of a training run, and the presets that bundle them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the recurrent model. The state has ``2 * hidden + dim + title_dim`` numbers.

    Attributes:
        dim: D, width of the learned part of item vectors and of the residual stream.
        hidden: H, channels of each of the two recurrences.
        widen: the feed-forward layers' width is ``widen * dim``.
        text_dim: R, length of a title's feature vector.
        tokens: words and pairs of words that the title encoder knows at most.
        title_dim: K, how many of a title's features also go unlearned into the state and out.
        trend_days: windows in which an item's recent events are counted (``models.items.trend``).
        temperature: divides the cosine of interest and item.
        cell: what joins the events: the served ``leaky`` one, or a reference of
            ``models.recurrence.references``, which isn't exported.
        hour_s: gaps count from about this many seconds on; longer ones by their logarithm.
    """

    dim: int = 128
    hidden: int = 96
    widen: int = 2
    text_dim: int = 192
    tokens: int = 50_000
    title_dim: int = 192
    trend_days: tuple[float, ...] = (7.0, 30.0)
    temperature: float = 0.1
    hour_s: float = 3_600.0
    cell: str = "leaky"

    @property
    def state_size(self) -> int:
        """S, length of the flat state."""
        return 2 * self.hidden + self.dim + self.title_dim

    @property
    def item_dim(self) -> int:
        """Length of an item's input vector."""
        return self.dim + self.title_dim

    @property
    def vector_dim(self) -> int:
        """V, length of interest and output vectors."""
        return self.dim + 1 + self.title_dim + len(self.trend_days)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train.

    Attributes:
        epochs: at most so many passes over the data.
        patience: stop after so many epochs without a better validation figure.
        batch: sequences in a batch.
        length: events in a sequence at most; longer histories are cut into several.
        rate: learning rate of AdamW after the warm-up.
        decay: weight decay.
        dropout: share of features dropped, one mask for a whole sequence.
        item_dropout: share of input events whose item is made unknown.
        id_dropout: share of items whose id vector is dropped, so that titles must do.
        negatives: sampled negatives for each platform in a batch.
        popularity: power of an item's count in the sampling of negatives.
        future: share of the predictions of a platform's next event that are trained where
            other events come before it.
        cold: share of sequences that are shown with one platform hidden; people on several
            platforms come more often where they are few; 0 leaves them out
            (``models.objectives``).
        actions: what each action weighs in the loss: ``alike``, or weights such as
            ``purchase:4,cart:2``, 1 for the rest (``models.training.action_weights``).
        validation: rank at most so many cases after each epoch.
        average: decay of the averaged weights (EMA), per batch.
        seed: seed of everything that is random.
        threads: CPU threads of torch.
    """

    epochs: int = 30
    patience: int = 3
    batch: int = 64
    length: int = 64
    rate: float = 2e-3
    decay: float = 0.01
    dropout: float = 0.3
    item_dropout: float = 0.05
    id_dropout: float = 0.1
    negatives: int = 1024
    popularity: float = 0.75
    future: float = 0.3
    cold: float = 0.2
    actions: str = "alike"
    validation: int = 5_000
    average: float = 0.995
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Preset:
    """A model's sizes and how to train it."""

    model: ModelConfig
    train: TrainConfig


PRESETS: Final[Mapping[str, Preset]] = {
    "base": Preset(ModelConfig(), TrainConfig()),
    "small": Preset(
        ModelConfig(dim=64, hidden=64, text_dim=64, title_dim=32, tokens=4_000),
        TrainConfig(epochs=15, batch=32, rate=1e-3, dropout=0.2, negatives=512),
    ),
}


def preset(name: str, **changes: Any) -> Preset:
    """A preset with some settings of either part replaced.

    Args:
        name: one of ``PRESETS``.
        changes: fields of ``ModelConfig`` or ``TrainConfig``; None leaves the preset's value.

    Raises:
        ModelError: no such preset or field.
    """
    if name not in PRESETS:
        raise ModelError(f"preset {name!r} isn't known; use one of {', '.join(PRESETS)}")
    chosen = PRESETS[name]
    wanted = {key: value for key, value in changes.items() if value is not None}
    ours = {key: wanted.pop(key) for key in _names(ModelConfig) & set(wanted)}
    theirs = {key: wanted.pop(key) for key in _names(TrainConfig) & set(wanted)}
    if wanted:
        raise ModelError(f"settings {sorted(wanted)} aren't known; see models/config.py")
    return Preset(replace(chosen.model, **ours), replace(chosen.train, **theirs))


def _names(config: type) -> set[str]:
    return {field.name for field in fields(config)}


def parse_changes(given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` of ``--set`` as the types that the settings have.

    Raises:
        ModelError: one isn't of that form.
    """
    made: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ModelError(f"--set {text!r} isn't NAME=VALUE, such as dropout=0.2")
        try:
            made[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            made[name] = value
    return made
