"""A target's items, ranked by an interest vector; for subscribers, with numpy and msgspec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import BundleError


class Ranked(NamedTuple):
    """One item of a ranking.

    Attributes:
        id: item id on the target platform.
        score: dot product of the interest vector and the item's output vector.
        title: the item's title, or its id where the bundle has no titles.
    """

    id: str
    score: float
    title: str


@dataclass(frozen=True)
class ItemRanking:
    """Items of one target platform, from a bundle.

    Attributes:
        bundle_id: the vectors of this bundle (``InterestUpdate.bundle``) fit these items;
            dot products with another bundle's vectors mean nothing.
        target: the platform.
        ids: N item ids.
        titles: N titles.
        vectors: float32 [N, V]; float16 in the file, as float32 it multiplies faster.
    """

    bundle_id: str
    target: str
    ids: Sequence[str]
    titles: Sequence[str]
    vectors: NDArray[np.float32]

    @classmethod
    def load(cls, bundle: Path | str, target: str) -> Self:
        """Read the items of ``target`` from a bundle folder.

        Raises:
            BundleError: the folder isn't a bundle, or it hasn't this platform.
        """
        folder = Path(bundle)
        try:
            manifest = json.loads((folder / "bundle.json").read_bytes())
            ids = _unpack(folder / "items" / f"{target}.ids.msgpack", list[str])
            vectors = np.load(folder / "items" / f"{target}.out.npy", allow_pickle=False)
            meta_path = folder / "items" / f"{target}.meta.msgpack"
            meta = _unpack(meta_path, list[dict[str, str]]) if meta_path.exists() else []
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise BundleError(
                f"no items of platform {target!r} in bundle {str(folder)!r}: {error}; give the"
                " folder that the worker's setting service.bundle names, and one of its platforms"
            ) from error
        if len(ids) != len(vectors) or (meta and len(meta) != len(ids)):
            raise BundleError(
                f"bundle {str(folder)!r} has {len(ids)} ids, {len(vectors)} vectors and"
                f" {len(meta)} titles of {target!r}; export it again"
            )
        given = [entry.get("title") for entry in meta] or [None] * len(ids)
        titles = [title or id for id, title in zip(ids, given, strict=True)]
        return cls(manifest["bundle_id"], target, ids, titles, vectors.astype(np.float32))

    def top(self, vector: NDArray[np.float32], count: int) -> list[Ranked]:
        """The ``count`` best items for an interest vector [V], best first.

        Raises:
            ValueError: the vector's length isn't that of the items' vectors.
        """
        if vector.shape != self.vectors.shape[1:]:
            raise ValueError(
                f"vector of shape {vector.shape}, items have {self.vectors.shape[1:]}: is it of"
                f" bundle {self.bundle_id!r}?"
            )
        scores = self.vectors @ vector
        count = min(count, len(scores))
        best = np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, np.int64)
        order = best[np.argsort(-scores[best], kind="stable")]
        return [Ranked(self.ids[row], float(scores[row]), self.titles[row]) for row in order]


def _unpack(path: Path, type_: Any) -> Any:
    return msgspec.msgpack.decode(path.read_bytes(), type=type_)
