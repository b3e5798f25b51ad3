from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.bundle import BundleParts, PlatformItems, write_bundle
from models.contract import ACTIONS, Contract
from models.errors import ExportError
from tests.bundles import make_tiny_bundle


def parts() -> BundleParts:
    contract = Contract(("shop",), ACTIONS, 4, 8, 3)
    items = PlatformItems(["a", "b"], np.zeros((3, 4)), np.zeros((2, 3)))
    return BundleParts(contract, b"", b"", {"shop": items})


def test_items_must_cover_the_platforms(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"items are given for \[\]"):
        write_bundle(tmp_path / "b", replace(parts(), items={}))


def test_vectors_must_have_the_contracts_shapes(tmp_path: Path) -> None:
    short = PlatformItems(["a", "b"], np.zeros((2, 4)), np.zeros((2, 3)))
    with pytest.raises(ExportError, match=r"vectors_in of platform 'shop' is \(2, 4\)"):
        write_bundle(tmp_path / "b", replace(parts(), items={"shop": short}))


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(ExportError, match="isn't a bundle"):
        write_bundle(folder, parts())
    assert (folder / "letter.txt").read_text() == "dear"


def test_writing_again_replaces_the_bundle_and_leaves_no_draft(tmp_path: Path) -> None:
    make_tiny_bundle(tmp_path / "b", seed=1)
    first = (tmp_path / "b" / "step.onnx").read_bytes()
    make_tiny_bundle(tmp_path / "b", seed=2)
    assert (tmp_path / "b" / "step.onnx").read_bytes() != first
    assert [entry.name for entry in tmp_path.iterdir()] == ["b"]
