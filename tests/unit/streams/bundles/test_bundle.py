import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.contract import content_id
from models.labels import Labels, to_parts
from streams.bundles import bundle as bundle_module
from streams.bundles import files
from streams.bundles.bundle import Bundle
from streams.errors import BundleError
from tests.bundles import make_tiny_bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def edit_manifest(folder: Path, field: str, value: object) -> None:
    file = folder / "bundle.json"
    manifest = json.loads(file.read_text())
    manifest[field] = value
    file.write_text(json.dumps(manifest))


def sign_again(folder: Path, name: str) -> None:
    """Let a changed file pass the checksums, so that a later check has to find it."""
    manifest = json.loads((folder / "bundle.json").read_text())
    content = (folder / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][name] = {"sha256": digest, "bytes": len(content)}
    manifest["bundle_id"] = content_id(manifest["contract"], manifest["files"])
    (folder / "bundle.json").write_text(json.dumps(manifest))


def test_a_whole_bundle_loads_with_its_items_and_contract(made: Path) -> None:
    bundle = Bundle.load(made)
    assert bundle.contract.platforms == ("video", "shop", "news")
    shop = bundle.items["shop"]
    assert shop.ids["shop-7"] == 7
    assert shop.vectors_in.shape == (51, bundle.contract.item_dim)
    assert isinstance(shop.vectors_out, np.memmap)
    assert shop.meta is not None
    assert shop.meta[0]["title"]


def test_the_text_projector_embeds_an_unseen_title(made: Path) -> None:
    text = Bundle.load(made).text
    assert text is not None
    vector_in, vector_out = text.encode("shop", ["red garden", "", "unheardofword"])
    assert vector_in.dtype == np.float16
    assert np.allclose(np.linalg.norm(vector_out.astype(np.float32), axis=1), 1, atol=1e-2)
    assert not np.array_equal(vector_out[0], vector_out[1])
    assert np.array_equal(vector_out[1], vector_out[2])


def write_labels(folder: Path, width: int) -> None:
    weight, bias = np.ones((width, 2), np.float32), np.zeros(2, np.float32)
    header, arrays = to_parts({"shop": Labels(("a", "b"), weight, bias)})
    (folder / "labels.json").write_text(header)
    np.savez(folder / "labels.npz", allow_pickle=False, **arrays)
    sign_again(folder, "labels.json")
    sign_again(folder, "labels.npz")


def test_labels_of_another_width_are_refused(copy: Path) -> None:
    assert Bundle.load(copy).labels == {}
    write_labels(copy, width=5)
    with pytest.raises(BundleError, match="labels of 'shop' for vectors of 5, the contract has"):
        Bundle.load(copy)
    write_labels(copy, width=16)
    assert Bundle.load(copy).labels["shop"].names == ("a", "b")


def test_the_same_content_has_the_same_id_and_another_seed_another(
    made: Path, tmp_path: Path
) -> None:
    again = Bundle.load(make_tiny_bundle(tmp_path / "again"))
    other = Bundle.load(make_tiny_bundle(tmp_path / "other", seed=1))
    assert again.bundle_id == Bundle.load(made).bundle_id != other.bundle_id


@pytest.mark.parametrize("batch", [2, 7, 64])
def test_a_step_is_bit_identical_at_every_batch_size(made: Path, batch: int) -> None:
    bundle = Bundle.load(made)
    session = ort.InferenceSession(str(bundle.step_path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds: dict[str, np.ndarray] = {
        "state": rng.standard_normal((batch, 32)).astype(np.float16),
        "item": rng.standard_normal((batch, 16)).astype(np.float32),
        "platform": rng.integers(0, 3, batch),
        "action": rng.integers(0, 6, batch),
        "dt": rng.exponential(1e5, batch).astype(np.float32),
    }
    together = np.asarray(session.run(None, feeds)[0])
    for row in range(batch):
        one = {name: value[row : row + 1] for name, value in feeds.items()}
        assert np.array_equal(np.asarray(session.run(None, one)[0])[0], together[row])


def test_a_folder_without_a_manifest_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle\.json; make a bundle with"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", 99, "format is 99, this version reads 1"),
        ("contract", {"platforms": []}, "contract has fields"),
    ],
)
def test_a_wrong_manifest_is_refused(copy: Path, field: str, value: object, message: str) -> None:
    edit_manifest(copy, field, value)
    with pytest.raises(BundleError, match=message):
        Bundle.load(copy)


def test_a_manifest_that_is_not_json_is_refused(copy: Path) -> None:
    (copy / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="isn't JSON"):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["step.onnx", "items/shop.in.npy", "golden.npz", "text.npz"])
def test_a_damaged_a_cut_and_a_missing_file_are_named(copy: Path, name: str) -> None:
    file = copy / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(BundleError, match=f"{file.name} is damaged"):
        Bundle.load(copy)
    file.write_bytes(content[:-1])
    with pytest.raises(BundleError, match="bytes, expected"):
        Bundle.load(copy)
    file.unlink()
    with pytest.raises(BundleError, match="is missing"):
        Bundle.load(copy)


def test_vectors_of_the_wrong_shape_or_type_are_refused(copy: Path) -> None:
    np.save(copy / "items" / "shop.out.npy", np.zeros((50, 15), np.float16))
    sign_again(copy, "items/shop.out.npy")
    with pytest.raises(BundleError, match=r"float16\[50, 15\], expected float16\[50, 16\]"):
        Bundle.load(copy)
    np.save(copy / "items" / "shop.out.npy", np.zeros((50, 16), np.float32))
    sign_again(copy, "items/shop.out.npy")
    with pytest.raises(BundleError, match="holds float32"):
        Bundle.load(copy)


def test_graphs_of_another_training_fail_the_golden_check(copy: Path, tmp_path: Path) -> None:
    other = make_tiny_bundle(tmp_path / "other", seed=1)
    for graph in ("step.onnx", "migrate.onnx"):
        shutil.copy(other / graph, copy / graph)
        sign_again(copy, graph)
        with pytest.raises(BundleError, match=f"{graph}: golden output"):
            Bundle.load(copy)
        shutil.copy(Path(make_tiny_bundle(tmp_path / "same")) / graph, copy / graph)
        sign_again(copy, graph)


def test_graphs_for_other_platforms_are_refused(copy: Path, tmp_path: Path) -> None:
    other = make_tiny_bundle(tmp_path / "other", platforms=("a", "b"))
    shutil.copy(other / "migrate.onnx", copy / "migrate.onnx")
    sign_again(copy, "migrate.onnx")
    with pytest.raises(BundleError, match="output 'interests' is"):
        Bundle.load(copy)


def test_nothing_is_parsed_before_its_checksum_was_right(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tampered file of a bundle is never loaded, the graphs least of all."""

    def untouched(*args: object, **more: object) -> None:
        raise AssertionError("loaded before it was verified")

    for module, name in (
        (bundle_module, "open_graph"),
        (bundle_module, "read_arrays"),
        (files, "read_arrays"),
        (files, "_unpack"),
        (files, "_vectors"),
    ):
        monkeypatch.setattr(module, name, untouched)
    for name in ("step.onnx", "migrate.onnx", "golden.npz", "items/shop.ids.msgpack", "text.npz"):
        file = copy / name
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(BundleError, match=rf"{name} is damaged"):
            Bundle.load(copy)
        file.write_bytes(content)


def test_a_manifest_that_leaves_out_a_file_or_was_changed_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "bundle.json").read_text())
    files = manifest["files"]
    for name in ("step.onnx", "items/news.in.npy", "text.json"):
        edit_manifest(copy, "files", {n: e for n, e in files.items() if n != name})
        with pytest.raises(BundleError, match=rf"no checksum of {name}"):
            Bundle.load(copy)
    edit_manifest(copy, "files", {**files, "../step.onnx": files["step.onnx"]})
    with pytest.raises(BundleError, match="outside its folder"):
        Bundle.load(copy)
    edit_manifest(copy, "files", {**files, "step.onnx": {**files["step.onnx"], "sha256": "0"}})
    with pytest.raises(BundleError, match="something was changed after the export"):
        Bundle.load(copy)
    broken: list[object] = [[], {"step.onnx": 3}, {"step.onnx": {"sha256": "x"}}]
    for wrong in broken:
        edit_manifest(copy, "files", wrong)
        with pytest.raises(BundleError, match="'files'"):
            Bundle.load(copy)


def leave_out(copy: Path, *names: str) -> None:
    """The manifest no longer knows of these files."""
    files = json.loads((copy / "bundle.json").read_text())["files"]
    for name in names:
        del files[name]
    edit_manifest(copy, "files", files)
    sign_again(copy, "step.onnx")


def test_metadata_without_a_checksum_isn_t_read(copy: Path) -> None:
    leave_out(copy, "items/shop.meta.msgpack")
    assert Bundle.load(copy).items["shop"].meta is None


def test_halves_of_another_step_are_refused(copy: Path, tmp_path: Path) -> None:
    assert Bundle.load(copy).halves
    other = make_tiny_bundle(tmp_path / "other", seed=5)
    for name in ("enter.onnx", "recur.onnx"):
        shutil.copy(other / name, copy / name)
        sign_again(copy, name)
    with pytest.raises(BundleError, match=r"enter\.onnx and recur\.onnx give another state"):
        Bundle.load(copy)


def test_a_chain_of_another_step_is_refused(copy: Path) -> None:
    chain = onnx.load(copy / "chain.onnx")
    (body,) = (field.g for field in chain.graph.node[0].attribute if field.name == "body")
    next(node for node in body.node if node.op_type == "Add").op_type = "Sub"
    onnx.save(chain, copy / "chain.onnx")
    sign_again(copy, "chain.onnx")
    with pytest.raises(BundleError, match=r"chain\.onnx gives another state than recur\.onnx"):
        Bundle.load(copy)


def test_a_bundle_of_before_the_chain_goes_wave_by_wave(copy: Path) -> None:
    leave_out(copy, "chain.onnx")
    assert [path.name for path in Bundle.load(copy).halves] == ["enter.onnx", "recur.onnx"]


def test_a_bundle_without_halves_is_whole(copy: Path) -> None:
    leave_out(copy, "enter.onnx", "recur.onnx")
    assert Bundle.load(copy).halves == ()
