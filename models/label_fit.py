"""Fit the labels of each target: which there are, and a calibrated map from vectors to them.

Labels are the target's categories where most items have one, otherwise topics: clusters of
title features (spherical k-means, Dhillon & Modha, 2001), named by the words that are most
frequent in them beyond what is frequent anyway. The map is a multinomial logistic regression
from interest vectors, learned from the training part's events, with a temperature chosen on
validation cases (Guo et al., ICML 2017): a share of .3 then means about 30%.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from models.data.table import EventTable, Int64, ItemList
from models.infer import interests
from models.labels import F32, OTHER, Labels
from models.network import Network
from models.projector import tokens
from models.protocols import Cases, Split

MOST: Final = 32
_HAVE_ONE: Final = 0.5
_ROUNDS: Final = 15
_CASES: Final = 20_000
_EPOCHS: Final = 12
_TEMPERATURES: Final = np.geomspace(0.5, 4.0, 25)
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
    place = {name: at for at, name in enumerate(names)}
    rest = place.get(OTHER, -1)
    found = [place.get(category, rest) if category else -1 for category in categories]
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


def fit_labels(network: Network, split: Split, length: int, seed: int = 0) -> dict[str, Labels]:
    """Labels of every target that has titles or categories and cases to learn from.

    Args:
        network: trained, in evaluation mode.
        split: what it was trained on; validation cases choose the temperature.
        length: of longer histories only the last so many events are stepped through.
        seed: which training events are taken, and the order of learning.
    """
    made = {}
    training = _training_cases(split, seed)
    for p, name in enumerate(network.platforms):
        items = split.table.items[p]
        first = int(split.table.item_offsets[p])
        features = network.items.titles[first : first + len(items)].numpy()
        names, label = item_labels(items, features)
        learn = _labelled(split, training, p, label)
        check = _labelled(split, split.validation, p, label)
        if len(names) >= 2 and len(learn) and len(check):
            made[name] = _fit(network, split, (learn, check), label, names, length, seed)
    return made


def case_labels(table: EventTable, cases: Cases, label: Int64) -> Int64:
    """int64 [n]: the label of each case's item."""
    return label[table.item[cases.row]]


def _labelled(split: Split, cases: Cases, p: int, label: Int64) -> Cases:
    """The cases of one target whose item has a label."""
    mine = cases.select(split.targets(cases) == p)
    return mine.select(case_labels(split.table, mine, label) >= 0)


def _training_cases(split: Split, seed: int) -> Cases:
    """Some training events as cases, each with the user's training events before it."""
    rows = np.flatnonzero(split.train)
    begin = split.table.user_starts[split.table.user[rows]]
    rows = rows[rows > begin]
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:_CASES])
    return Cases(rows, split.table.user_starts[split.table.user[rows]], rows, None)


def _fit(
    network: Network,
    split: Split,
    cases: tuple[Cases, Cases],
    label: Int64,
    names: list[str],
    length: int,
    seed: int,
) -> Labels:
    """Learn on the first cases, choose the temperature on the second."""
    learn, check = (
        (
            torch.from_numpy(interests(network, split.table, some, length)),
            torch.from_numpy(case_labels(split.table, some, label)),
        )
        for some in cases
    )
    weight, bias = _regress(*learn, len(names), seed)
    logits = check[0] @ weight + bias
    losses = [float(F.cross_entropy(logits / t, check[1])) for t in _TEMPERATURES]
    best = float(_TEMPERATURES[int(np.argmin(losses))])
    return Labels(
        tuple(names), (weight / best).numpy(), (bias / best).numpy(), label.astype(np.int16)
    )


def _regress(
    vectors: torch.Tensor, label: torch.Tensor, count: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multinomial logistic regression: vectors [n, V], labels [n] -> weight [V, L], bias [L]."""
    rng = torch.Generator().manual_seed(seed)
    # Columns of like size learn at a like rate; the scale goes into the weight in the end.
    scale = vectors.std(dim=0) + 1e-3  # [V]
    weight = torch.zeros(vectors.shape[1], count, requires_grad=True)
    counts = torch.bincount(label, minlength=count).float()
    bias = torch.log((counts + 1.0) / (counts + 1.0).sum()).requires_grad_()
    optimiser = torch.optim.AdamW([weight, bias], lr=0.01, weight_decay=0.1)
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(vectors), generator=rng).split(256):
            loss = F.cross_entropy((vectors[rows] / scale) @ weight + bias, label[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return (weight / scale.unsqueeze(-1)).detach(), bias.detach()
