"""The committed dashboard is the code's, names only metrics that exist, and its queries parse."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dashboard import dashboard, promql
from deploy.dashboard.panels import (
    Panel,
    Query,
    Row,
    UnknownMetricError,
    dashboard_json,
    metric_names,
)
from streams.metrics.metrics import Metrics
from tests.support import require_command

RULES = Path(dashboard.__file__).parents[1] / "prometheus" / "rules" / "interest-stream.yml"


def panels() -> Iterator[Panel]:
    for row in dashboard.ROWS:
        yield from row.panels


def expressions() -> list[str]:
    return [query.expr for panel in panels() for query in panel.queries]


def test_the_committed_json_is_up_to_date() -> None:
    written = dashboard.PATH.read_text(encoding="utf-8")
    assert written == dashboard.as_text(), "run `python -m deploy.dashboard` and commit the JSON"


def test_writing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PATH", tmp_path / "made" / "x.json")
    assert dashboard.main() == 0
    assert json.loads(dashboard.PATH.read_text())["uid"] == "interest-stream"


def test_status_comes_first_and_fits_a_screen() -> None:
    model = dashboard.dashboard()
    first, *status = model["panels"][:6]
    assert first["type"] == "row"
    assert [panel["type"] for panel in status] == ["stat"] * 5
    assert {panel["gridPos"]["y"] for panel in status} == {1}
    assert [panel["title"] for panel in status[1:]] == [
        "Is it behind?", "Is it losing?", "Is it slow?", "Is it wrong?",
    ]  # fmt: skip
    assert len({panel["id"] for panel in model["panels"]}) == len(model["panels"])


def test_panels_dont_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.dashboard()["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        assert max(columns) < 24
        taken |= cells


def test_every_panel_says_how_to_read_it() -> None:
    for panel in panels():
        assert panel.description.endswith(".")
        assert panel.queries
        # A panel of several series tells them apart.
        assert len(panel.queries) == 1 or all(query.legend for query in panel.queries)


def test_every_metric_of_the_worker_is_on_a_panel() -> None:
    shown = {re.sub(r"_(bucket|sum|count)$", "", n) for e in expressions() for n in metric_names(e)}
    alone = {"interest_user_updates_total", "interest_last_progress_timestamp_seconds"}
    details = {"interest_recovery_in_progress", "interest_recovered_records_total"}
    recovery = {"interest_recovery_seconds"}
    names = {entry.name for entry in Metrics(process=False).reference()}
    assert names - shown == alone | details | recovery


def test_a_metric_that_doesnt_exist_is_refused() -> None:
    row = Row("R", [Panel("P", "D.", [Query("rate(interest_events_raed_total[5m])")])])
    with pytest.raises(UnknownMetricError, match="interest_events_raed_total"):
        dashboard_json("u", "t", "d", [row])


def test_a_row_wider_than_the_screen_is_refused() -> None:
    row = Row("R", [Panel("P", "D.", [Query("up")], width=13)] * 2)
    with pytest.raises(ValueError, match="wider than 24"):
        dashboard_json("u", "t", "d", [row])


def rule(name: str) -> Any:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return next(r for group in groups for r in group["rules"] if r["alert"] == name)


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("InterestStreamBehind", promql.BEHIND_S),
        ("InterestStreamDeadLetters", promql.LOST_SHARE),
        ("InterestStreamSlow", promql.SLOW_S),
        ("InterestStreamUnknownItems", promql.UNKNOWN_SHARE),
    ],
)
def test_colours_turn_red_where_the_alert_fires(alert: str, limit: float) -> None:
    found = re.search(r"> ([\d.]+)$", rule(alert)["expr"].strip())
    assert found
    assert float(found[1]) == limit
    assert any(step == (limit, "red") for panel in panels() for step in panel.steps)


def test_promtool_can_parse_every_query(tmp_path: Path) -> None:
    promtool = require_command("promtool", "apt-get install prometheus")
    rules = [
        {"record": f"panel:query{number}", "expr": e.replace("$__rate_interval", "5m")}
        for number, e in enumerate(expressions())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
