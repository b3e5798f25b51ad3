"""Train with early stopping: the one way from events to a trained model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from models.config import ModelConfig, TrainConfig
from models.items.encoders import Encoder, HashedEncoder
from models.labels import Labels
from models.metrics.ranks import Ranks
from models.protocols.protocols import Cases, Split
from models.recurrence.network import Network
from models.training.bridge import add_bridge, solve_bridges
from models.training.infer import figures, rank
from models.training.label_fit import fit_labels
from models.training.prepare import fitting, make_network, titles_of
from models.training.trainer import Trainer
from models.training.unseen import settle_unseen

# A trained network -> the network that is served, which may have more in its state.
Serve = Callable[[Network], Network]

CHOSEN_BY = "ndcg@10"
# Validation cases on which the place of items that training never saw is chosen.
_SETTLED = 2_000


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the data came to.

    Attributes:
        number: from 1.
        loss: mean training loss in nats.
        validation: platform -> metric -> value.
        score: what the best epoch is chosen by: mean of the platforms' NDCG@10.
    """

    number: int
    loss: float
    validation: dict[str, dict[str, float]]
    score: float


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


@dataclass(slots=True)
class Listener:
    """What training reports while it runs; each may be left out.

    Attributes:
        batch: called with (epoch from 1, sequences done, sequences of an epoch).
        epoch: called after each epoch.
    """

    batch: Callable[[int, int, int], object] = field(default=lambda number, done, count: None)
    epoch: Callable[[Epoch], object] = field(default=lambda done: None)


def fit(
    split: Split,
    model: ModelConfig,
    config: TrainConfig,
    encoder: Encoder | None = None,
    listener: Listener | None = None,
) -> Trained:
    """Train on ``split.train``, choose the epoch on ``split.validation``.

    The same arguments give the same weights on the same machine.

    Args:
        split: what to learn from and what to choose by; its test cases aren't looked at.
        model: sizes; made to suit the data, see ``models.training.prepare.fitting``.
        config: how to train.
        encoder: of titles; None takes the hashed one.
        listener: gets the progress.
    """
    torch.set_num_threads(config.threads)
    room, model = model.title_dim, fitting(model, split.table)
    hashed = HashedEncoder.fit(
        titles_of(split.table.items), model.text_dim, model.tokens, config.seed
    )
    network = make_network(model, split.training, encoder or hashed, config.dropout, config.seed)
    serve = _as_trained if model.title_dim else _with_bridge(split, config, room)
    best = train_best(network, split, config, listener or Listener(), serve)
    return finish(best, hashed, split, config)


def _as_trained(network: Network) -> Network:
    return network


def _with_bridge(split: Split, config: TrainConfig, room: int) -> Serve:
    """Adds ``models.training.bridge`` in ``room`` numbers of the state, where validation gains."""
    solved = solve_bridges(split.training, room)
    cases = some_cases(split.validation, config.validation, config.seed)
    return lambda network: add_bridge(network, solved, split, cases, config.length)


def train_best(
    network: Network,
    split: Split,
    config: TrainConfig,
    listener: Listener,
    serve: Serve = _as_trained,
) -> Best:
    """Train a network that is there, until validation gets no better.

    Args:
        network: is trained in place as far as it requires gradients.
        split: see ``fit``.
        config: how to train.
        listener: gets the progress.
        serve: what an epoch's averaged network is ranked as, and kept as.
    """
    trainer = Trainer(network, split.training, config)
    cases = some_cases(split.validation, config.validation, config.seed)
    epochs: list[Epoch] = []
    best: Best | None = None
    for number in range(1, config.epochs + 1):
        loss = _pass(trainer, number, listener)
        served = serve(trainer.averaged)
        epoch = _measured(number, loss, evaluate(served, split, cases, config.length))
        epochs.append(epoch)
        listener.epoch(epoch)
        if best is None or epoch.score > best.epoch.score:
            best = Best(copy.deepcopy(served), epochs, epoch)
        elif number - best.epoch.number >= config.patience:
            break
    assert best is not None
    return best


def finish(best: Best, encoder: HashedEncoder, split: Split, config: TrainConfig) -> Trained:
    """What validation still decides: where unseen items stand, and the labels."""
    cases = some_cases(split.validation, config.validation, config.seed)
    settle_unseen(best.network, split, some_cases(cases, _SETTLED, config.seed), config.length)
    labels = fit_labels(best.network, split, config.length)
    return Trained(best.network, encoder, best.epochs, best.epoch, labels)


def _pass(trainer: Trainer, number: int, listener: Listener) -> float:
    """One pass over the data; its mean loss in nats."""
    done, count = 0, len(trainer.sequences)

    def tick(sequences: int) -> None:
        nonlocal done
        done += sequences
        listener.batch(number, done, count)

    return trainer.epoch(tick)


def _measured(number: int, loss: float, validation: dict[str, dict[str, float]]) -> Epoch:
    scores = [found[CHOSEN_BY] for found in validation.values()]
    score = float(np.mean(scores)) if scores else -loss
    return Epoch(number, round(loss, 5), validation, round(score, 5))


def evaluate(
    network: Network, split: Split, cases: Cases, length: int
) -> dict[str, dict[str, float]]:
    """Metrics of a network for each target platform that has cases."""
    found, target = rank(network, split, cases, length), split.targets(cases)
    return {
        name: figures(Ranks(found.above[target == p], found.tied[target == p]))
        for p, name in enumerate(split.table.platforms)
        if (target == p).any()
    }


def some_cases(cases: Cases, most: int, seed: int) -> Cases:
    """At most so many of the cases, drawn at random: an epoch needn't rank them all."""
    if len(cases) <= most:
        return cases
    drawn = np.random.default_rng(seed).choice(len(cases), most, replace=False)
    return cases.select(np.sort(drawn))
