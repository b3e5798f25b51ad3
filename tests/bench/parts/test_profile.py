"""A sample belongs to the stage of its innermost frame that is known; who waits does no work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench.parts import profile

LOOP = "main (/srv/streams/cli.py:83);Runner.run (/usr/lib/python3.11/asyncio/runners.py:118)"
AGENT = f"{LOOP};Service._execute_task (/venv/mode/services.py:800)"
UPDATE = f"{AGENT};UpdatePipeline.run (/srv/streams/runtime/update_pipeline.py:90)"


@pytest.mark.parametrize(
    ("stack", "stage"),
    [
        (f"{UPDATE};StepHalves.recur (/srv/streams/bundles/graphs.py:67)", "ONNX Runtime"),
        (f"{UPDATE};run (/venv/onnxruntime/capi/session.py:395)", "ONNX Runtime"),
        (f"{UPDATE};run_waves (/srv/streams/inference/waves.py:76)", "windows and waves"),
        (f"{UPDATE};Slab.values (/srv/streams/windows/slab.py:208)", "stored values"),
        # numpy is no stage: who called it is.
        (
            f"{UPDATE};find (/srv/streams/update/name_cache.py:64);take (/venv/numpy/core.py:57)",
            "decode, users, marks",
        ),
        (UPDATE, "pipelines"),
        (AGENT, "Faust"),
        ("main (/somewhere/else.py:1)", "other"),
    ],
)
def test_a_sample_has_a_stage(stack: str, stage: str) -> None:
    found, _ = profile.analyse(f"{stack} 3\n")
    assert found == {"samples": 3, "waiting": 0, "stages": {stage: 1.0}}


@pytest.mark.parametrize(
    "leaf",
    [
        "Runner.run (/usr/lib/python3.11/asyncio/runners.py:118)",
        "ServiceThread._start_thread (/venv/mode/threads.py:211)",
        "Condition.wait (/usr/lib/python3.11/threading.py:331)",
        "_worker (/usr/lib/python3.11/concurrent/futures/thread.py:81)",
        "EpollSelector.select (/usr/lib/python3.11/selectors.py:468)",
    ],
)
def test_a_thread_that_waits_does_no_work(leaf: str) -> None:
    found, text = profile.analyse(f"main (/srv/streams/cli.py:83);{leaf} 7\n{UPDATE} 3\n")
    assert found == {"samples": 3, "waiting": 7, "stages": {"pipelines": 1.0}}
    assert text.startswith("3 samples, and 7 of threads that waited\n100.0%  pipelines\n")
    assert "100.0%  UpdatePipeline.run (runtime/update_pipeline.py:90)" in text


def test_without_py_spy_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "SPY", tmp_path / "py-spy")
    nobody: Any = None
    with pytest.raises(FileNotFoundError, match="`make bench` installs it"):
        profile.profile(nobody)
