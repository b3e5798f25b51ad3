"""Title -> vectors with numpy alone: what a bundle's ``text.npz`` and ``text.json`` hold.

A title is cut into words and pairs of words, each is hashed to 32 bits, the known hashes are
weighted by TF-IDF and projected by a truncated SVD (latent semantic analysis, Deerwester et
al. 1990, on hashed features, Weinberger et al., ICML 2009). Linear maps that training has
learned take the result to an item's input and output vector, so that the worker can serve
an item that training never saw. Free of torch: training and serving share this code.
"""

from __future__ import annotations

import itertools
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

KIND: Final = "hashed-tfidf-svd/1"
_WORD: Final = re.compile(r"[^\W_]+", re.UNICODE)

F16 = npt.NDArray[np.float16]
F32 = npt.NDArray[np.float32]
U32 = npt.NDArray[np.uint32]


def tokens(title: str) -> Iterator[str]:
    """Words of a title in lower case, then its pairs of neighbouring words."""
    words = _WORD.findall(title.lower())
    yield from words
    for first, second in itertools.pairwise(words):
        yield f"{first} {second}"


def token_hashes(title: str) -> U32:
    """uint32 CRC-32 of each token (stable across machines, unlike ``hash``)."""
    return np.array([zlib.crc32(token.encode()) for token in tokens(title)], dtype=np.uint32)


@dataclass(frozen=True)
class TitleBasis:
    """The unsupervised part: TF-IDF weights and the SVD's right factors.

    Attributes:
        hashes: uint32[n], ascending: the known tokens.
        idf: float32[n], inverse document frequency of each token.
        basis: float16[n, R], whitened projection of each token.
    """

    hashes: U32
    idf: F32
    basis: F16

    @property
    def size(self) -> int:
        """R, length of a title's feature vector."""
        return int(self.basis.shape[1])

    def weights(self, title: str) -> tuple[npt.NDArray[np.intp], F32]:
        """Rows of the known tokens of a title and their TF-IDF weights (unit length)."""
        found = token_hashes(title)
        if not len(found) or not len(self.hashes):
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        row = np.minimum(np.searchsorted(self.hashes, found), len(self.hashes) - 1)
        row, count = np.unique(row[self.hashes[row] == found], return_counts=True)
        weight = (1.0 + np.log(count)).astype(np.float32) * self.idf[row]
        return row, weight / max(float(np.linalg.norm(weight)), 1e-9)

    def features(self, titles: Sequence[str]) -> F32:
        """Titles -> float32[n, R]; unit length, zeros for a title without a known word."""
        out = np.zeros((len(titles), self.size), dtype=np.float32)
        for i, title in enumerate(titles):
            row, weight = self.weights(title)
            out[i] = weight @ self.basis[row].astype(np.float32)
        return unit(out)


@dataclass(frozen=True)
class TextProjector:
    """Title features -> (input vector, output vector) of an item of a platform.

    Attributes:
        platforms: names, in the order of the offsets' first axis.
        basis: the title encoder.
        in_weight: float32[R, D]; ``in_offset`` float32[P, D].
        out_weight: float32[R, V]; ``out_offset`` float32[P, V].
        cosine: how many of the leading output columns are scaled to unit length.
    """

    platforms: tuple[str, ...]
    basis: TitleBasis
    in_weight: F32
    in_offset: F32
    out_weight: F32
    out_offset: F32
    cosine: int

    def encode(self, platform: str, titles: Sequence[str]) -> tuple[F16, F16]:
        """Titles of new items of a platform -> (in float16[n, D], out float16[n, V]).

        Raises:
            KeyError: the platform isn't one of ``platforms``.
        """
        if platform not in self.platforms:
            raise KeyError(f"platform {platform!r} isn't one of {self.platforms}")
        p = self.platforms.index(platform)
        features = self.basis.features(titles)
        entry = features @ self.in_weight + self.in_offset[p]
        exit_ = features @ self.out_weight + self.out_offset[p]
        exit_[:, : self.cosine] = unit(exit_[:, : self.cosine])
        return entry.astype(np.float16), exit_.astype(np.float16)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of ``text.npz``; float16 to keep a bundle small."""
        half = {name: getattr(self, name).astype(np.float16) for name in _MAPS}
        known: dict[str, npt.NDArray[Any]] = {
            "hashes": self.basis.hashes,
            "idf": self.basis.idf,
            "basis": self.basis.basis,
        }
        return known | half

    def header(self) -> str:
        """``text.json``: what the arrays mean."""
        head = {"kind": KIND, "platforms": list(self.platforms), "cosine": self.cosine}
        return json.dumps(head, indent=2) + "\n"

    @classmethod
    def from_parts(cls, header: str, arrays: Mapping[str, npt.NDArray[Any]]) -> TextProjector:
        """Read ``text.json`` and ``text.npz``.

        Raises:
            ValueError: another kind of encoder, or arrays that don't fit each other.
        """
        head = json.loads(header)
        if head.get("kind") != KIND:
            raise ValueError(f"kind is {head.get('kind')!r}, this version reads {KIND!r}")
        missing = {"hashes", "idf", "basis", *_MAPS} - set(arrays)
        if missing:
            raise ValueError(f"arrays {sorted(missing)} are missing")
        basis = TitleBasis(arrays["hashes"], arrays["idf"], arrays["basis"])
        maps = {name: arrays[name].astype(np.float32) for name in _MAPS}
        made = cls(tuple(head["platforms"]), basis, cosine=int(head["cosine"]), **maps)
        _check_shapes(made)
        return made


_MAPS: Final = ("in_weight", "in_offset", "out_weight", "out_offset")


def _check_shapes(text: TextProjector) -> None:
    known, size, platforms = len(text.basis.hashes), text.basis.size, len(text.platforms)
    wanted = {
        "basis": (text.basis.basis.shape, (known, size)),
        "idf": (text.basis.idf.shape, (known,)),
        "in_weight": (text.in_weight.shape, (size, text.in_offset.shape[1])),
        "out_weight": (text.out_weight.shape, (size, text.out_offset.shape[1])),
        "in_offset": (text.in_offset.shape[:1], (platforms,)),
        "out_offset": (text.out_offset.shape[:1], (platforms,)),
    }
    for name, (got, want) in wanted.items():
        if got != want:
            raise ValueError(f"{name} has shape {got}, expected {want}")


def unit(rows: F32) -> F32:
    """Scale each row to length one; a row of zeros stays."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: F32 = rows / np.maximum(length, np.float32(1e-9))
    return scaled
