"""What so many people need: ``python -m deploy.capacity --users 50e6`` (docs/scale.md).

Every constant of the service is a measurement of ``make bench``, read from a report
(``docs/bench.json``); what isn't measured (habits of people, prices) is an argument.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.capacity.measured import Measured
from deploy.capacity.page import write_page
from deploy.capacity.plan import Service, plan
from deploy.capacity.table import table

REPORT: Final = Path(__file__).resolve().parents[2] / "docs" / "bench.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan of one service, and its limits."""
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description=__doc__)
    parser.add_argument("--report", type=Path, default=REPORT, help="of make bench")
    for name, default in vars(Service(users=1e6)).items():
        kind = float if isinstance(default, float) else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="only make a page's tables anew")
    args = vars(parser.parse_args(arguments))
    report = json.loads(args.pop("report").read_text())
    page = args.pop("write")
    if page is not None:
        write_page(page, report)
        return 0
    measured = Measured.of(report)
    found = plan(Service(**args), measured)
    sys.stdout.write(table([found]) + "\n\n")
    for limit in found.limits:
        sys.stdout.write(f"{limit.load:6.0%}  {limit.what}; then: {limit.remedy}\n")
    return 0
