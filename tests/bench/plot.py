"""The report as a picture: ``python -m tests.bench.plot bench.json bench.svg``.

Runs in the benchmark's own environment, which has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

OURS: Final = "#1b6ca8"
OTHERS: Final = "#b0b7bd"
COLOURS: Final = {"ours": OURS, "loop": "#d9822b"}


def main(report: Path, picture: Path) -> None:
    """Draw what the report has."""
    figures = json.loads(report.read_text())["figures"]
    drawn = [draw for part, draw in DRAWN.items() if part in figures]
    if not drawn:
        return
    figure, axes = plt.subplots(1, len(drawn), figsize=(5.2 * len(drawn), 4.2), squeeze=False)
    for axis, draw in zip(axes[0], drawn, strict=True):
        draw(axis, figures)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(picture)


def throughput(axis: Any, figures: dict[str, Any]) -> None:
    """CPU per event of every contestant."""
    runs = sorted(
        figures["throughput"].items(), key=lambda item: -item[1]["cpu_us_per_event"]["median"]
    )
    costs = [found["cpu_us_per_event"] for _, found in runs]
    medians = [cost["median"] for cost in costs]
    around = [
        [cost["median"] - cost["low"] for cost in costs],
        [cost["high"] - cost["median"] for cost in costs],
    ]
    colours = [COLOURS.get(name, OTHERS) for name, _ in runs]
    axis.barh([found["title"] for _, found in runs], medians, xerr=around, color=colours)
    for place, value in enumerate(medians):
        axis.annotate(
            f"{value:,.1f}", (value, place), xytext=(14, 0), textcoords="offset points", va="center"
        )
    axis.set_xscale("log")
    axis.set_xlim(left=1, right=max(medians) * 4)
    axis.set_xlabel("CPU µs per event, one core (log scale; lower is better)")


def latency(axis: Any, figures: dict[str, Any]) -> None:
    """Event to vector at each rate, median and 99%."""
    for name, rates in figures["latency"].items():
        steps = [int(rate) for rate in rates]
        for key, style in (("p99_ms", "-o"), ("p50_ms", "--o")):
            values = [found[key]["median"] for found in rates.values()]
            colour = COLOURS.get(name, OTHERS)
            axis.plot(steps, values, style, color=colour, label=f"{name}, {key[1:3]}%")
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("events per second")
    axis.set_ylabel("event to vector, ms")
    axis.legend(frameon=False)


def history(axis: Any, figures: dict[str, Any]) -> None:
    """CPU per event after so many events."""
    found = figures["history"]
    steps = [int(number) for number in found]
    medians = [one["cpu_us_per_event"]["median"] for one in found.values()]
    axis.plot(steps, medians, "-o", color=OURS)
    axis.set_xscale("log")
    axis.set_ylim(bottom=0, top=max(medians) * 1.3)
    axis.set_xlabel("events that the user had before")
    axis.set_ylabel("CPU µs per event, our worker")


DRAWN: Final = {"throughput": throughput, "latency": latency, "history": history}

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
