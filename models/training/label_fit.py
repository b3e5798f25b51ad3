"""Fit the labels of each target: which there are, and a calibrated map from vectors to them.

Labels are the target's categories where most items have one, otherwise topics: clusters of
title features (spherical k-means, Dhillon & Modha, 2001), named by the words that are most
frequent in them beyond what is frequent anyway. The map scores a label as it scores an item:
by the mean output vector of the label's events; how loud each part of it is, and how usual the
label is, is a logistic regression of few parameters on the validation cases, so that a share
of .3 means about 30%.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from models.data.table import Int64, ItemList
from models.items.projector import tokens
from models.labels import F32, OTHER, Labels
from models.protocols.cases import Cases, Split
from models.recurrence.network import Network
from models.training.infer import interests, output_vectors

MOST: Final = 32
_HAVE_ONE: Final = 0.5
_ROUNDS: Final = 15
_LEAST_CASES: Final = 20
_STEPS: Final = 100
_DECAY: Final = 1e-3
_LEAST_LETTERS: Final = 3
_NAME_WORDS: Final = 3


def item_labels(items: ItemList, features: F32, most: int = MOST) -> tuple[list[str], Int64]:
    """Labels of a catalogue, and each item's.

    Args:
        items: N items.
        features: float32 [N, R] of their titles, zeros without one.
        most: labels at most.

    Returns:
        Names, and int64 [N] positions in them, -1 for an item about which nothing is known.
    """
    known = sum(bool(category) for category in items.categories)
    if known >= _HAVE_ONE * len(items):
        return _categories(items.categories, most)
    return _topics(items.titles, features, most)


def _categories(categories: list[str], most: int) -> tuple[list[str], Int64]:
    counts = Counter(category for category in categories if category)
    names = [name for name, _ in counts.most_common(most)]
    if len(counts) > most:
        names[-1] = OTHER
    position = {name: at for at, name in enumerate(names)}
    rest = position.get(OTHER, -1)
    found = [position.get(category, rest) if category else -1 for category in categories]
    return names, np.array(found, np.int64)


def _topics(titles: list[str], features: F32, most: int) -> tuple[list[str], Int64]:
    label = np.full(len(titles), -1, np.int64)
    titled = np.flatnonzero(features.any(axis=1))
    count = min(most, len(titled) // 4)
    if count < 2:
        return [], label
    label[titled] = clusters(features[titled], count)
    used, label[titled] = np.unique(label[titled], return_inverse=True)
    return _names([titles[at] for at in titled], label[titled], len(used)), label


def clusters(features: F32, count: int, seed: int = 0) -> Int64:
    """Spherical k-means of unit rows [n, R]: int64 [n] below ``count``."""
    rng = np.random.default_rng(seed)
    centres = features[rng.choice(len(features), count, replace=False)]
    for _ in range(_ROUNDS):
        found = (features @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, found, features)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-9), centres)
    nearest: Int64 = (features @ centres.T).argmax(axis=1)
    return nearest


def _names(titles: list[str], label: Int64, count: int) -> list[str]:
    """A readable name for each cluster; a number follows where two would be the same."""
    everywhere: Counter[str] = Counter()
    inside: list[Counter[str]] = [Counter() for _ in range(count)]
    for title, at in zip(titles, label.tolist(), strict=True):
        telling = {word for word in tokens(title) if _tells(word)}
        everywhere.update(telling)
        inside[at].update(telling)
    sizes = np.bincount(label, minlength=count)
    names: list[str] = []
    for at, words in enumerate(inside):
        scored = {
            word: n * max(0.0, np.log(n / sizes[at] * len(titles) / everywhere[word])) ** 2
            for word, n in words.items()
        }
        best = sorted(scored, key=lambda word: (-scored[word], word))[:_NAME_WORDS]
        name = ", ".join(best) or f"topic {at + 1}"
        names.append(name if name not in names else f"{name} ({at + 1})")
    return names


def _tells(word: str) -> bool:
    return " " not in word and len(word) >= _LEAST_LETTERS and not any(map(str.isdigit, word))


def fit_labels(network: Network, split: Split, length: int) -> dict[str, Labels]:
    """Labels of every target that has titles or categories and cases to learn from.

    Args:
        network: trained, in evaluation mode.
        split: what it was trained on; the map is fitted to validation cases, as the vectors
            of training events know those events by heart.
        length: of longer histories only the last so many events are stepped through.
    """
    made = {}
    for p, name in enumerate(network.platforms):
        items, first = split.table.items[p], int(split.table.item_offsets[p])
        features = network.items.titles[first : first + len(items)].numpy()
        names, label = item_labels(items, features)
        mine = split.validation.select(split.targets(split.validation) == p)
        cases = mine.select(label[split.table.item[mine.row]] >= 0)
        if len(names) >= 2 and len(cases) >= _LEAST_CASES:
            weight, bias = _fit(network, split, cases, p, label, len(names), length)
            made[name] = Labels(tuple(names), weight, bias, label.astype(np.int16))
    return made


def _fit(
    network: Network, split: Split, cases: Cases, p: int, label: Int64, count: int, length: int
) -> tuple[F32, F32]:
    """Weight [V, L] and bias [L]: how loud each part of a label's typical item is."""
    parts = _typical(network, split, p, label, count)  # [parts, V, L]
    vectors = torch.from_numpy(interests(network, split.table, cases, length))  # [n, V]
    truth = torch.from_numpy(label[split.table.item[cases.row]])  # [n]
    scores = torch.einsum("nv,pvl->npl", vectors, parts)
    spread = scores.std(dim=(0, 2)) + 1e-6  # [parts]
    usual = torch.bincount(truth, minlength=count).float() + 1.0
    loud = torch.zeros(len(parts), requires_grad=True)
    bias = torch.log(usual / usual.sum()).requires_grad_()

    optimiser = torch.optim.LBFGS([loud, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = ((loud / spread).unsqueeze(-1) * scores).sum(dim=1) + bias  # [n, L]
        found = F.cross_entropy(logits, truth) + _DECAY * loud.square().sum()
        found.backward()
        return found

    optimiser.step(loss)
    weight = torch.einsum("p,pvl->vl", (loud / spread).detach(), parts)
    return weight.numpy(), bias.detach().numpy()


def _typical(network: Network, split: Split, p: int, label: Int64, count: int) -> torch.Tensor:
    """The mean output vector of each label's training events: float32 [parts, V, L].

    Once for each part of a vector (content, title) with zeros elsewhere, so that each can be as
    loud as it should.
    """
    outputs = output_vectors(network, split.table, p)  # [N, V]
    rows = split.train & (split.table.platform == p)
    events = np.bincount(split.table.item[rows], minlength=len(label)) + 1.0
    known = np.flatnonzero(label >= 0)
    sums = np.zeros((count, outputs.shape[1]))
    np.add.at(sums, label[known], outputs[known] * events[known, None])
    total = np.bincount(label[known], events[known], count)
    mean = torch.from_numpy((sums / np.maximum(total, 1.0)[:, None]).astype(np.float32)).T
    size = network.config
    ends = np.cumsum([0, size.dim, 1, size.title_dim])
    parts = torch.zeros(2, *mean.shape)
    for at, part in enumerate((0, 2)):
        parts[at, ends[part] : ends[part + 1]] = mean[ends[part] : ends[part + 1]]
    return parts
