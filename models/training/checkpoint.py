"""A trained model as one file: what ``export`` makes a bundle from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from models.config import ModelConfig
from models.data.table import EventTable, ItemList
from models.errors import ModelError
from models.items.projector import TitleBasis
from models.items.vectors import Items
from models.labels import Labels
from models.recurrence.network import Network

_FORMAT: Final = 2


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a bundle needs.

    Attributes:
        network: in evaluation mode.
        catalogue: for each platform its items, in the order of the network's rows.
        basis: the hashed title encoder.
        exact: whether the network's title features are the basis's own.
        metrics: validation figures.
        training: data, seed, settings, epochs.
        labels: target -> its interest labels, empty without any.
    """

    network: Network
    catalogue: tuple[ItemList, ...]
    basis: TitleBasis
    exact: bool
    metrics: dict[str, Any]
    training: dict[str, Any]
    labels: dict[str, Labels] = field(default_factory=dict)

    @classmethod
    def of(cls, table: EventTable, network: Network, basis: TitleBasis, **rest: Any) -> Checkpoint:
        """A checkpoint of a network that was trained on a table."""
        return cls(network=network, catalogue=table.items, basis=basis, **rest)

    def save(self, path: Path) -> None:
        """Write the file; it appears whole or not at all."""
        basis = self.basis
        content = {
            "format": _FORMAT,
            "model": asdict(self.network.config),
            "platforms": list(self.network.platforms),
            "catalogue": [asdict(items) for items in self.catalogue],
            "hashes": torch.from_numpy(basis.hashes.astype(np.int64)),
            "idf": torch.from_numpy(basis.idf),
            "basis": torch.from_numpy(basis.basis),
            "exact": self.exact,
            "metrics": self.metrics,
            "training": self.training,
            "labels": [
                (name, found.names, *map(torch.from_numpy, (found.weight, found.bias, found.items)))
                for name, found in self.labels.items()
            ],
            "weights": self.network.state_dict(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        torch.save(content, draft)
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read the file; no code in it is run.

        Raises:
            ModelError: it isn't there, or isn't a checkpoint of this version.
        """
        content = _read(path)
        basis = TitleBasis(
            content["hashes"].numpy().astype(np.uint32),
            content["idf"].numpy(),
            content["basis"].numpy(),
        )
        return cls(
            network=_network(content),
            catalogue=tuple(ItemList(**items) for items in content["catalogue"]),
            basis=basis,
            exact=bool(content["exact"]),
            metrics=content["metrics"],
            training=content["training"],
            labels={
                name: Labels(tuple(names), *(array.numpy() for array in arrays))
                for name, names, *arrays in content.get("labels", [])
            },
        )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; `interest-stream train` writes one")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types here
        raise ModelError(f"{path} isn't a checkpoint ({error}); train again") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ModelError(f"{path} isn't a checkpoint of version {_FORMAT}; train again")
    return content


def _network(content: dict[str, Any]) -> Network:
    config, weights = ModelConfig(**content["model"]), content["weights"]
    items = Items(
        config,
        weights["items.platform"],
        weights["items.titles"],
        bridge=weights.get("items.bridge"),
    )
    network = Network(config, tuple(content["platforms"]), items)
    network.load_state_dict(weights)
    return network.eval()
