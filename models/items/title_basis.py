"""Fit the title encoder that a bundle carries: hashed TF-IDF and a truncated SVD.

Whitened as in WhitenRec (Zhang et al., 2024): every direction of the SVD gets the same
weight up to a power, as raw text vectors of one catalogue all look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from models.items.projector import F32, TitleBasis, token_hashes

WHITENING: Final = 0.5
_ROUNDS: Final = 4


def fit_basis(
    titles: Sequence[str], size: int, tokens: int = 50_000, least: int = 2, seed: int = 0
) -> TitleBasis:
    """Learn token weights and their projection from titles.

    Args:
        titles: titles; empty ones are left out.
        size: R, length of the features.
        tokens: so many of the most frequent tokens are kept.
        least: a token must be in so many titles.
        seed: of the randomised SVD.
    """
    hashed = [np.unique(found) for title in titles if len(found := token_hashes(title))]
    flat = np.concatenate(hashed) if hashed else np.zeros(0, np.uint32)
    known, count = np.unique(flat, return_counts=True)
    kept = np.argsort(-count, kind="stable")[:tokens]
    kept = np.sort(kept[count[kept] >= least])
    known, count = known[kept], count[kept]
    idf = np.log((1.0 + len(hashed)) / (1.0 + count)).astype(np.float32) + np.float32(1.0)
    bare = TitleBasis(known, idf, np.zeros((len(known), size), np.float16))
    right = _right_factors(bare, [title for title in titles if title], size, seed)
    return TitleBasis(known, idf, right)


def _right_factors(
    basis: TitleBasis, titles: Sequence[str], size: int, seed: int
) -> npt.NDArray[np.float16]:
    """Randomised SVD (Halko et al., 2011) of titles x tokens -> float16[n, R], whitened."""
    out = np.zeros((len(basis.hashes), size), np.float32)
    rank = min(size, len(basis.hashes), len(titles))
    if rank:
        matrix = _matrix(basis, titles)
        test = np.random.default_rng(seed).standard_normal((len(basis.hashes), rank))
        for _ in range(_ROUNDS):
            left = np.linalg.qr(matrix @ test).Q
            test = np.linalg.qr(matrix.T @ left).Q
        _, values, vt = np.linalg.svd(matrix @ test, full_matrices=False)
        out[:, : len(values)] = (test @ vt.T) / np.maximum(values, 1e-3) ** WHITENING
    return (out / max(float(np.abs(out).max(initial=0.0)), 1e-6)).astype(np.float16)


def _matrix(basis: TitleBasis, titles: Sequence[str]) -> csr_array:
    rows = [basis.weights(title) for title in titles]
    starts = np.cumsum([0, *(len(row) for row, _ in rows)])
    columns = np.concatenate([row for row, _ in rows])
    values: F32 = np.concatenate([weight for _, weight in rows])
    return csr_array((values, columns, starts), shape=(len(titles), len(basis.hashes)))
