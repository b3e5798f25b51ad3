"""The report as plain types."""

from __future__ import annotations

import json

import pytest

from models.evaluation.run import Run
from models.report.assemble import report
from tests.unit.models.report.results import result, run


def test_the_report_is_json() -> None:
    about = {"data": "tiny", "protocol": "abxi", "part": "test", "seeds": [0]}
    found = report(run(), Run(results={"weak": [result(0.1)]}), about)
    again = json.loads(json.dumps(found))
    assert again["ours"] == "model"
    assert set(again["methods"]) == {"weak", "strong", "model"}
    assert set(again["ties_shuffled"]) == {"weak"}
    assert again["methods"]["model"]["shop"]["mrr"] == pytest.approx(0.4)
    assert again["not_applicable"] == {"rules": "no item has a category"}
