import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.pipeline import text_projector
from models.cli import export, train
from models.config import PRESETS
from models.errors import ModelError
from models.items.encoders import TransformersEncoder
from models.protocols import abxi
from models.training.checkpoint import Checkpoint
from models.training.infer import interests
from models.training.train import title_encoder
from streams.bundles.bundle import Bundle
from tests.native_files import write_jsonl
from tests.people import TOPICS, people_table
from tests.tiny_encoder import write_tiny_encoder


def run(module: object, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)  # type: ignore[attr-defined]
    code: int = module.run(parser.parse_args(arguments))  # type: ignore[attr-defined]
    return code


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with events, a checkpoint and a bundle."""
    folder = tmp_path_factory.mktemp("train")
    write_jsonl(people_table(), folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        small = PRESETS["small"]
        model = replace(small.model, dim=16, hidden=8, text_dim=8)
        patch.setattr(
            "models.config.PRESETS", {"small": replace(small, model=model)} | {"base": small}
        )
        code = run(
            train, str(folder / "data"), "--out", str(folder / "bundle"), "--preset", "small",
            "--epochs", "2", "--protocol", "abxi", "--ties", "shuffled",
        )  # fmt: skip
    assert code == 0
    return folder


def test_train_writes_a_bundle_that_the_worker_loads(trained: Path) -> None:
    bundle = Bundle.load(trained / "bundle")
    assert bundle.contract.platforms == ("video", "shop")
    assert (bundle.training["protocol"], bundle.training["ties"]) == ("abxi", "shuffled")
    assert bundle.training["train"]["seed"] == 0
    assert set(bundle.metrics) >= {"validation", "speed", "parity", "opset"}
    assert bundle.metrics["speed"]["state_bytes"] == 2 * bundle.contract.state_size
    meta = bundle.items["shop"].meta
    assert meta is not None
    assert meta[5]["category"] == "jazz"


def test_export_of_the_checkpoint_gives_the_same_bundle(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(export, str(trained / "bundle.pt"), "--out", str(tmp_path / "again")) == 0
    first, second = Bundle.load(trained / "bundle"), Bundle.load(tmp_path / "again")
    assert first.bundle_id == second.bundle_id
    told = capsys.readouterr().out
    assert "one step" in told
    assert f"bundle {second.bundle_id}" in told


def test_the_bundles_vectors_score_as_the_network_does(trained: Path) -> None:
    bundle, network = (
        Bundle.load(trained / "bundle"),
        Checkpoint.load(trained / "bundle.pt").network,
    )
    split = abxi(people_table(), 0)
    vectors = interests(network, split.table, split.test, 64)
    shop = bundle.items["shop"].vectors_out.astype(np.float32)
    with torch.no_grad():
        rows = torch.arange(40, 80)
        exact = network.items.outputs(rows).numpy()
    assert np.allclose(vectors @ shop.T, vectors @ exact.T, atol=0.05)


def test_a_title_that_training_never_saw_lies_near_its_topic(trained: Path) -> None:
    bundle = Bundle.load(trained / "bundle")
    assert bundle.text is not None
    network = Checkpoint.load(trained / "bundle.pt").network
    new_in, new_out = bundle.text.encode("shop", ["bright jazz green"])
    assert np.isfinite(new_in).all()
    with torch.no_grad():
        rows = torch.arange(40, 80)
        plain = network.items.from_title(network.items.titles[rows]).numpy()
    topic = np.array([listed["category"] == "jazz" for listed in bundle.items["shop"].meta or []])
    offset = bundle.text.in_offset[1].astype(np.float32)
    cosine = plain @ (new_in[0].astype(np.float32) - offset)[:16]
    own = network.items.own_titles(rows).numpy() @ new_in[0, 16:].astype(np.float32)
    assert own[topic].mean() > own[~topic].mean()
    assert cosine[topic].mean() > cosine[~topic].mean()
    assert np.linalg.norm(new_out[0, :16].astype(np.float32)) == pytest.approx(1.0, abs=5e-3)


def test_another_encoders_titles_are_approached_by_regression(trained: Path) -> None:
    checkpoint = Checkpoint.load(trained / "bundle.pt")
    exact = text_projector(checkpoint)
    near = text_projector(replace(checkpoint, exact=False))
    assert exact is not None
    assert near is not None
    titles = ["old jazz new", "green garden small"]
    ours, theirs = exact.encode("shop", titles)[0], near.encode("shop", titles)[0]
    away = ours.astype(np.float32) - theirs.astype(np.float32)
    assert np.linalg.norm(away) < 0.5 * np.linalg.norm(ours.astype(np.float32))


def test_the_bundle_has_labels_in_words(trained: Path) -> None:
    bundle, kept = Bundle.load(trained / "bundle"), Checkpoint.load(trained / "bundle.pt").labels
    assert set(bundle.labels) == set(kept) == {"video", "shop"}
    assert set(bundle.labels["shop"].names) == set(TOPICS)
    vectors = np.random.default_rng(0).standard_normal((4, bundle.contract.vector_dim))
    some = vectors.astype(np.float32)
    near = np.abs(bundle.labels["shop"].shares(some) - kept["shop"].shares(some))
    assert near.max() < 0.01


def test_the_text_encoder_is_the_one_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_tiny_encoder(tmp_path / "tiny")
    assert title_encoder("hashed", 4) is None
    plain = title_encoder(str(folder), 4)
    assert isinstance(plain, TransformersEncoder)
    assert plain.folder == folder
    assert plain.features(["green garden"]).shape == (1, 4)


@pytest.mark.parametrize(
    "setting", ["contrast=0.1", "confusion=0.1", "virtual=0.3", "actions=learned"]
)
def test_settings_that_are_gone_are_refused_as_unknown(trained: Path, setting: str) -> None:
    with pytest.raises(ModelError, match=r"aren't known|isn't ACTION:WEIGHT"):
        run(train, str(trained / "data"), "--out", str(trained / "x"), "--set", setting)
