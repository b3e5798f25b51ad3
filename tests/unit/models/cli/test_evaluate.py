"""The command on a small folder of events: table, report, and refusals."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from models.baselines import METHODS
from models.baselines.popularity import Popularity
from models.cli.evaluate import add_arguments, run
from models.data.read import read_events
from models.data.table import TableBuilder
from models.errors import DataError
from models.evaluation.entries import Entry, parse_entry
from models.evaluation.run import Run
from models.protocols.cases import Split
from models.report.assemble import Asked, report, write_report
from models.report.assemble import evaluate as report_of
from tests.bundles import make_tiny_bundle
from tests.native_files import write_jsonl


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    builder = TableBuilder()
    for user in range(20):
        for step in range(6):
            platform = str(rng.choice(["shop", "video"]))
            row = int(rng.integers(0, 50))
            builder.add_item(platform, f"{platform}-{row}", f"title {row % 7}", f"c{row % 3}")
            time_ms = 10**12 + 1000 * (20 * (step // 2) + user)
            builder.add_event(f"u{user}", platform, 2, f"{platform}-{row}", time_ms)
    folder = tmp_path_factory.mktemp("data")
    write_jsonl(builder.build(), folder)
    return folder


def evaluate(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


def train_as(bundle: Path, **training: object) -> Path:
    """Note in a bundle's manifest how it was trained."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["training"] |= training
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    return bundle


def test_all_baselines(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "report.json"
    rules = tmp_path / "our rules.csv"
    rules.write_text("platform,category,target,target_category,strength\nshop,c1,video,c2,0.5\n")
    assert evaluate(*METHODS, rules, "--data", data, "--seeds", 2, "--out", out) == 0
    found = json.loads(out.read_text())
    assert found["protocol"] == "abxi"
    assert found["seeds"] == [0, 1]
    assert {"pop-all", "pop-7d", "item-knn", "rules", "our rules", "svd"} <= set(found["methods"])
    assert set(found["methods"]["pop-all"]) == {"shop", "video"}
    assert set(found["ties_shuffled"]) == set(found["methods"])
    assert found["ours"] is None
    assert "pop-7d" in capsys.readouterr().out


def test_a_bundle_beside_a_baseline(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", platforms=("shop", "video"))
    out = tmp_path / "report.json"
    assert evaluate(f"mine={bundle}", "pop-all", "--data", data, "--out", out) == 0
    found = json.loads(out.read_text())
    assert found["ours"] == "mine"
    assert set(found["methods"]) == {"mine", "pop-all"}
    assert set(found["ties_shuffled"]) == {"pop-all"}, "it wasn't trained on shuffled ties"
    assert found["against_best"]["mine"]["shop"]["mrr"]["baseline"] == "pop-all"
    assert found["step_us_batch_1"] > 0
    assert found["state_bytes"] == 64
    assert found["sees_time"] == [], "the tiny bundle has no trend"
    assert "mine against the best baseline" in capsys.readouterr().out


def test_a_sum_of_a_bundle_and_a_baseline(data: Path, tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", platforms=("shop", "video"))
    out = tmp_path / "report.json"
    what = [f"{bundle}+pop-7d", f"mix={bundle},{bundle}+pop-7d", "pop-7d+item-knn"]
    assert evaluate(*what, "--data", data, "--ties", "file", "--out", out) == 0
    found = json.loads(out.read_text())
    assert set(found["methods"]) == {"bundle+pop-7d", "mix", "pop-7d+item-knn"}
    assert set(found["against_best"]) == {"bundle+pop-7d", "mix"}


def test_a_bundle_trained_on_shuffled_ties_is_ranked_there_only(data: Path, tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", platforms=("shop", "video"))
    train_as(bundle, ties="shuffled")
    out = tmp_path / "report.json"
    assert evaluate(bundle, "pop-all", "--data", data, "--out", out) == 0
    found = json.loads(out.read_text())
    assert set(found["methods"]) == {"pop-all"}
    assert set(found["ties_shuffled"]) == {"bundle", "pop-all"}


def test_a_bundle_of_another_protocol_is_refused(data: Path, tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", platforms=("shop", "video"))
    train_as(bundle, protocol="none")
    with pytest.raises(DataError, match=r"--protocol none.*train it with --protocol abxi"):
        evaluate(bundle, "--data", data)


def test_validation_cases(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    evaluate("pop-all", "--data", data, "--validation", "--ties", "file", "--out", out)
    found = json.loads(out.read_text())
    assert found["part"] == "validation"
    assert found["ties_shuffled"] == {}


def test_the_first_seed_goes_with_the_first_bundle(data: Path, tmp_path: Path) -> None:
    """A study with ``--first 1`` draws with the seeds that its bundles were trained with."""
    table = read_events(data)
    seen: list[tuple[int, int]] = []

    class Noted(Popularity):
        def __init__(self, at: int) -> None:
            self.at = at

        def fit(self, split: Split, seed: int) -> None:
            seen.append((self.at, seed))
            super().fit(split, seed)

    asked = Asked("data", "abxi", range(1, 3), ties="file")
    found = report_of([Entry("noted", Noted)], table, asked)
    assert found["seeds"] == [1, 2]
    assert seen == [(0, 1), (1, 2)]


def test_a_curve_is_that_of_the_first_entry_of_its_name(tmp_path: Path) -> None:
    entries = []
    for name, score in (("file", 0.125), ("shuffled", 0.875)):
        bundle = train_as(make_tiny_bundle(tmp_path / name), epochs=[{"score": score}] * 2)
        entries.append(parse_entry(f"ours={bundle}"))
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    write_report(tmp_path / "report.json", report(Run(), None, about), entries)
    page = (tmp_path / "report.html").read_text()
    assert "0.125" in page
    assert "0.875" not in page


def test_temporal(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    evaluate("pop-all", "item-knn", "--data", data, "--protocol", "temporal", "--out", out)
    groups = json.loads(out.read_text())["groups"]["item-knn"]["shop"]
    assert groups["warm"]["cases"] > 0


def test_neither_a_bundle_nor_a_method(data: Path) -> None:
    with pytest.raises(DataError, match=r"neither a bundle .* nor a method; the methods are pop"):
        evaluate("pop-never", "--data", data)


def test_data_with_too_few_events_for_a_test(tmp_path: Path) -> None:
    builder = TableBuilder()
    builder.add_event("u", "shop", 2, "i", 10**12)
    write_jsonl(builder.build(), tmp_path)
    with pytest.raises(DataError, match="abxi leaves no test cases"):
        evaluate("pop-all", "--data", tmp_path)
