"""Alert rules: promtool's own tests pass, each alert has one, each names metrics that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

import deploy
from deploy.dashboard.panels import check_names, metric_names
from tests.support import require_command

FOLDER = Path(deploy.__file__).parent / "prometheus"
RULES = FOLDER / "rules" / "interest-stream.yml"
TESTS = FOLDER / "tests" / "interest-stream_test.yml"
OPERATIONS = Path(deploy.__file__).parents[1] / "docs" / "operations.md"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments: str) -> None:
    program = require_command("promtool", "apt-get install prometheus")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_fire_and_keep_quiet_as_they_should() -> None:
    promtool("test", "rules", str(TESTS))


def test_configuration_and_rules_are_valid() -> None:
    promtool("check", "config", str(FOLDER / "prometheus.yml"))


def test_every_metric_of_a_rule_exists() -> None:
    check_names(rule["expr"] for rule in rules())
    assert len(set().union(*(metric_names(rule["expr"]) for rule in rules()))) > 10


def test_every_alert_is_tested_both_firing_and_quiet() -> None:
    cases = [
        c for test in yaml.safe_load(TESTS.read_text())["tests"] for c in test["alert_rule_test"]
    ]
    for rule in rules():
        mine = [case["exp_alerts"] for case in cases if case["alertname"] == rule["alert"]]
        assert any(mine), f"{rule['alert']} is never seen firing"
        assert not all(mine), f"{rule['alert']} is never seen quiet"


def test_every_alert_says_what_to_do_and_has_a_place_in_the_handbook() -> None:
    handbook = OPERATIONS.read_text(encoding="utf-8")
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "action"}
        assert f"### {rule['alert']}\n" in handbook


def test_the_handbook_has_no_alert_that_is_gone() -> None:
    named = re.findall(r"^### (InterestStream\w+)$", OPERATIONS.read_text(encoding="utf-8"), re.M)
    assert named == [rule["alert"] for rule in rules()]
