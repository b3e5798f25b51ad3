from pathlib import Path

import numpy as np
import pytest
import torch

from models.config import preset
from models.errors import ModelError
from models.items.encoders import HashedEncoder
from models.training.checkpoint import Checkpoint
from models.training.prepare import make_network, titles_of
from tests.people import people_table


def make_checkpoint() -> Checkpoint:
    table, config = people_table(users=8), preset("small", dim=8, hidden=4, text_dim=6).model
    encoder = HashedEncoder.fit(titles_of(table.items), config.text_dim, config.tokens)
    network = make_network(config, table, encoder, dropout=0.0, seed=0)
    return Checkpoint.of(
        table, network, encoder.basis, exact=True, metrics={"a": 1}, training={"seed": 0}
    )


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    made = make_checkpoint()
    made.save(tmp_path / "new" / "model.pt")
    again = Checkpoint.load(tmp_path / "new" / "model.pt")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["model.pt"]
    assert again.network.platforms == ("video", "shop")
    assert again.catalogue == made.catalogue
    assert (again.exact, again.metrics, again.training) == (True, {"a": 1}, {"seed": 0})
    assert np.array_equal(again.basis.hashes, made.basis.hashes)
    assert again.basis.hashes.dtype == np.uint32
    for name, weights in made.network.state_dict().items():
        assert torch.equal(weights, again.network.state_dict()[name])


def test_a_missing_file_and_another_kind_of_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        Checkpoint.load(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ModelError, match="isn't a checkpoint"):
        Checkpoint.load(tmp_path / "text.pt")
    torch.save({"format": 0}, tmp_path / "old.pt")
    with pytest.raises(ModelError, match="of version 2"):
        Checkpoint.load(tmp_path / "old.pt")
