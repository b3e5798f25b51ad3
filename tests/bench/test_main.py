"""What was measured is in the report, whatever fails or stops the rest."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bench import __main__ as command
from tests.bench.parts import throughput
from tests.bench.race.race import Run
from tests.bench.race.setup import Bench, Figures, Options

COSTS = {name: {"cpu_us_per_event": {"median": cost}} for name, cost in (("ours", 10), ("loop", 9))}
ONE_RUN = Run("ours", 100, 1.0, (0.5,), 0.1, 50.0, 40.0, 100, 1.0)


def skewed(_bench: Bench) -> Figures:
    """Two contestants."""
    return COSTS


def broken(_bench: Bench) -> Figures:
    """Nothing."""
    raise RuntimeError("the broker is gone")


def stopped(bench: Bench) -> Figures:
    """Nothing."""
    with bench.attempt("stopped/loop"):
        raise RuntimeError("it got stuck")
    raise KeyboardInterrupt


def make_bench(race: Any = None, **options: Any) -> Bench:
    chosen = Options(only=("ours", "loop"), parts=(), **options)
    nothing: Any = None
    return Bench(nothing, 0, 1, nothing, Path(), chosen, race)


@pytest.fixture
def measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, Any]]]:
    @contextmanager
    def no_broker(_options: Options) -> Iterator[Bench]:
        yield make_bench()

    monkeypatch.setattr(command, "open_bench", no_broker)
    monkeypatch.setattr(command, "table", lambda _report: "")
    monkeypatch.setattr(command, "PEER_PYTHON", tmp_path / "nowhere")
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(parts: list[Callable[[Bench], Figures]], *more: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(command, "PARTS", {part.__name__: part for part in parts})
        path = tmp_path / "bench.json"
        code = command.main(["--report", str(path), *more])
        return code, json.loads(path.read_text())

    return run


def test_a_part_that_fails_is_noted_and_the_rest_goes_on(
    measure: Callable[..., tuple[int, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = measure([broken, skewed])
    assert code == 1
    assert report["failed"] == {"broken": "RuntimeError: the broker is gone"}
    assert report["figures"] == {"skewed": COSTS}
    assert report["ratios"]["loop_skewed"] == pytest.approx(0.9)
    assert report["ratios"]["loop"] is None
    assert "error: broken failed: RuntimeError: the broker is gone" in capsys.readouterr().err


def test_a_stop_leaves_what_was_measured(
    measure: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    code, report = measure([skewed, stopped, broken])
    assert code == 1
    assert report["failed"] == {
        "stopped/loop": "RuntimeError: it got stuck",
        "stopped": "by a signal, after skewed",
    }
    assert report["figures"] == {"skewed": COSTS}


def test_a_plot_that_fails_is_a_warning(
    measure: Callable[..., tuple[int, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "PEER_PYTHON", Path("/bin/false"))
    assert measure([skewed], "--at-least", "loop_skewed=0.8")[0] == 0
    assert "warning: no picture" in capsys.readouterr().err
    assert measure([skewed], "--at-least", "loop_skewed=1")[0] == 1


def test_only_a_whole_report_is_kept(
    measure: Callable[..., tuple[int, dict[str, Any]]], tmp_path: Path
) -> None:
    kept = tmp_path / "kept.json"
    measure([skewed, broken], "--keep", str(kept))
    assert not kept.exists()
    measure([skewed], "--keep", str(kept))
    assert json.loads(kept.read_text())["figures"] == {"skewed": COSTS}


def test_a_contestant_that_fails_has_no_further_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def run(contestant: Any, _place: Any, _job: Any) -> Run:
        turns.append(contestant.name)
        if contestant.name == "loop" and len(turns) > 2:
            raise RuntimeError("it got stuck")
        return ONE_RUN

    monkeypatch.setattr(Bench, "place", lambda *_: None)
    bench = make_bench(SimpleNamespace(run=run), rounds=3, events=2000, users=50)
    found = throughput.race_all(bench, "throughput", ["ours", "loop"], 0.8)
    assert turns == ["ours", "loop", "ours", "loop", "ours"]
    assert bench.failed == {"throughput/loop": "RuntimeError: it got stuck"}
    assert list(found) == ["ours"]
    assert len(found["ours"]["runs"]) == 3


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (["--at-least", "loop_skewed=0.9"], 0),
        (["--at-least", "loop_skewed=0.91"], 1),
        (["--at-most", "loop_skewed=0.9"], 0),
        (["--at-most", "loop_skewed=0.89"], 1),
        (["--at-least", "loop_skewed=0.8", "--at-most", "p99_at_2000=1.2"], 1),  # not measured
    ],
)
def test_a_ratio_is_guarded_from_either_side(
    measure: Callable[..., tuple[int, dict[str, Any]]], bounds: list[str], code: int
) -> None:
    assert measure([skewed], *bounds)[0] == code


@pytest.mark.parametrize("bound", ["speed=1", "loop=", "loop"])
def test_a_bound_that_is_none_is_refused_before_the_run(bound: str) -> None:
    with pytest.raises(SystemExit):
        command.main(["--at-most", bound])
