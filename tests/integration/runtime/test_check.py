"""What ``interest-stream check`` refuses before it asks a broker for topics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka.process import free_port
from streams.cli import check, main
from streams.inference import engine
from tests.bundles import make_tiny_bundle
from tests.workers import write_settings

Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """Runs the command, which must fail; what it says."""
    monkeypatch.setattr(check, "configure_logging", lambda level: None)  # pytest's own stays

    def run(bundle: Path, bootstrap: str = "127.0.0.1:1", **sections: Any) -> str:
        path = write_settings(tmp_path, bundle, bootstrap, "t", port=1, sections=sections)
        assert main.main(["check", "--config", str(path)]) == 1
        return capsys.readouterr().err

    return run


def test_an_unreachable_broker(tmp_path: Path, refused: Refused) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    message = refused(make_tiny_bundle(tmp_path / "b"), nobody)
    assert f"no broker answers at {nobody} (kafka.bootstrap)" in message
    assert "start it, or correct the address" in message


def test_a_bundle_that_lacks_a_platform(tmp_path: Path, refused: Refused) -> None:
    message = refused(make_tiny_bundle(tmp_path / "b", platforms=("video", "news")))
    assert f"{tmp_path / 'b'} knows the platforms video, news, not 'shop'" in message
    assert "train a bundle" in message


def test_a_damaged_bundle(tmp_path: Path, refused: Refused) -> None:
    bundle = make_tiny_bundle(tmp_path / "b")
    vectors = bundle / "items" / "shop.in.npy"
    raw = bytearray(vectors.read_bytes())
    raw[-1] ^= 1
    vectors.write_bytes(raw)
    message = refused(bundle)
    assert "items/shop.in.npy" in message
    assert "sha256" in message or "checksum" in message


def test_no_bundle_at_all(tmp_path: Path, refused: Refused) -> None:
    message = refused(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message


def test_cuda_where_there_is_none(tmp_path: Path, refused: Refused) -> None:
    if engine._has_driver():
        pytest.skip("this machine has NVIDIA's driver, so CUDA may really run")
    message = refused(make_tiny_bundle(tmp_path / "b"), onnx={"providers": "cuda"})
    assert "onnx.providers is 'cuda'" in message
    assert "set onnx.providers = 'auto'" in message
