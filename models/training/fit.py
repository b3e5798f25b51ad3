"""Train with early stopping: the one way from events to a trained model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from models.config import ModelConfig, TrainConfig
from models.items.encoders import Encoder, HashedEncoder
from models.labels import Labels
from models.metrics.ranks import Ranks
from models.protocols.cases import Split
from models.recurrence.network import Network
from models.training.bridge import add_bridge, solve_bridges
from models.training.infer import Validation, figures, rank
from models.training.label_fit import fit_labels
from models.training.prepare import fitting, make_network, titles_of
from models.training.progress import Epoch, Progress
from models.training.trainer import Trainer
from models.training.unseen import settle_unseen

# A trained network -> the network that is served, which may have more in its state.
Serve = Callable[[Network], Network]

CHOSEN_BY = "ndcg@10"
# Validation cases on which it is chosen where items that training never saw stand.
_SETTLED = 2_000


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model: the averaged weights of its best epoch.

    Attributes:
        network: in evaluation mode.
        encoder: the hashed title encoder, for the bundle.
        epochs: every epoch, in order.
        best: the chosen one.
        labels: target -> its interest labels.
    """

    network: Network
    encoder: HashedEncoder
    epochs: list[Epoch]
    best: Epoch
    labels: dict[str, Labels]

    def curve(self) -> list[dict[str, Any]]:
        """Loss and score of each epoch."""
        return [{"loss": epoch.loss, "score": epoch.score} for epoch in self.epochs]


@dataclass(frozen=True, slots=True)
class Best:
    """What training came to: the averaged weights of its best epoch.

    Attributes:
        network: in evaluation mode.
        epochs: every epoch, in order.
        epoch: the chosen one.
    """

    network: Network
    epochs: list[Epoch]
    epoch: Epoch


def fit(
    split: Split,
    model: ModelConfig,
    config: TrainConfig,
    encoder: Encoder | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train on ``split.train``, choose the epoch on ``split.validation``.

    The same arguments give the same weights on the same machine.

    Args:
        split: what to learn from and what to choose by; its test cases aren't looked at.
        model: sizes; made to suit the data, see ``models.training.prepare.fitting``.
        config: how to train.
        encoder: of titles; None takes the hashed one.
        progress: is told how it goes.
    """
    torch.set_num_threads(config.threads)
    room, model = model.title_dim, fitting(model, split.table)
    hashed = HashedEncoder.fit(
        titles_of(split.table.items), model.text_dim, model.tokens, config.seed
    )
    network = make_network(model, split.training, encoder or hashed, config.dropout, config.seed)
    judged = validation_of(split, config)
    serve = as_trained if model.title_dim else _with_bridge(judged, room)
    best = train_best(network, judged, config, progress or Progress(), serve)
    return finish(best, hashed, judged, config)


def validation_of(split: Split, config: TrainConfig) -> Validation:
    """What epochs are chosen by: an epoch needn't rank all validation cases."""
    cases = split.validation.sample(config.validation, config.seed)
    return Validation(split, cases, config.length)


def as_trained(network: Network) -> Network:
    """Serve the network itself."""
    return network


def _with_bridge(validation: Validation, room: int) -> Serve:
    """Adds ``models.training.bridge`` in ``room`` numbers of the state, where validation gains."""
    solved = solve_bridges(validation.split.training, room)
    return lambda network: add_bridge(network, solved, validation)


def train_best(
    network: Network,
    validation: Validation,
    config: TrainConfig,
    progress: Progress,
    serve: Serve = as_trained,
) -> Best:
    """Train a network that is there, until validation gets no better.

    Args:
        network: is trained in place as far as it requires gradients.
        validation: see ``validation_of``.
        config: how to train.
        progress: is told how it goes.
        serve: what an epoch's averaged network is ranked as, and kept as.
    """
    trainer = Trainer(network, validation.split.training, config)
    epochs: list[Epoch] = []
    best: Best | None = None
    for number in range(1, config.epochs + 1):
        loss = _pass(trainer, number, progress)
        served = serve(trainer.averaged)
        epoch = _measured(number, loss, evaluate(served, validation))
        epochs.append(epoch)
        progress.epoch(epoch)
        if best is None or epoch.score > best.epoch.score:
            best = Best(copy.deepcopy(served), epochs, epoch)
        elif number - best.epoch.number >= config.patience:
            break
    assert best is not None
    return best


def finish(
    best: Best, encoder: HashedEncoder, validation: Validation, config: TrainConfig
) -> Trained:
    """What validation still decides: where unseen items stand, and the labels."""
    some = replace(validation, cases=validation.cases.sample(_SETTLED, config.seed))
    settle_unseen(best.network, some)
    labels = fit_labels(best.network, validation.split, validation.length)
    return Trained(best.network, encoder, best.epochs, best.epoch, labels)


def _pass(trainer: Trainer, number: int, progress: Progress) -> float:
    """One pass over the data; its mean loss in nats."""
    done, count = 0, len(trainer.sequences)

    def tick(sequences: int) -> None:
        nonlocal done
        done += sequences
        progress.batch(number, done, count)

    return trainer.epoch(tick)


def _measured(number: int, loss: float, validation: dict[str, dict[str, float]]) -> Epoch:
    scores = [found[CHOSEN_BY] for found in validation.values()]
    score = float(np.mean(scores)) if scores else -loss
    return Epoch(number, round(loss, 5), validation, round(score, 5))


def evaluate(network: Network, validation: Validation) -> dict[str, dict[str, float]]:
    """Metrics of a network for each target platform that has cases."""
    found, target = rank(network, validation), validation.targets
    return {
        name: figures(Ranks(found.above[target == p], found.tied[target == p]))
        for p, name in enumerate(validation.split.table.platforms)
        if (target == p).any()
    }
