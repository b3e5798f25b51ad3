"""The Grafana dashboard as code: ``python -m deploy.dashboard`` writes its JSON.

Four questions, in the order in which an operator asks them: is it behind, is it losing, is it
slow, is it wrong. The first row answers them in green or red; a row for each shows why. The
colours turn where the alerts fire (``deploy/prometheus/rules``; a test compares them).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from deploy.dashboard.details import BUNDLES, QUALITY, WORKERS
from deploy.dashboard.panels import SOURCE, dashboard_json
from deploy.dashboard.questions import BEHIND, FLOW, LOSING, SLOW, STATUS, WRONG

PATH: Final = Path(__file__).parents[1] / "grafana" / "dashboards" / "interest-stream.json"

ROWS: Final = (STATUS, FLOW, BEHIND, LOSING, SLOW, WRONG, QUALITY, BUNDLES, WORKERS)


def dashboard() -> dict[str, Any]:
    """The dashboard's model."""
    source = {
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        "hide": 0,
    }  # fmt: skip
    instance = {
        "name": "instance", "label": "Worker", "type": "query", "refresh": 2, "sort": 1,
        "datasource": SOURCE,
        "query": "label_values(interest_ready, instance)",
        "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip
    description = "Interests from platform to platform: is it behind, losing, slow, wrong?"
    variables = {"templating": {"list": [source, instance]}, "tags": ["interest-stream"]}
    return dashboard_json("interest-stream", "interest-stream", description, ROWS, **variables)


def as_text() -> str:
    """The JSON file's content."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the JSON file."""
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(as_text(), encoding="utf-8")
    print(f"wrote {PATH}: {sum(len(row.panels) for row in ROWS)} panels")
    return 0
