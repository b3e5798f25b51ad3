"""The comparison of a model's forms as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_COLUMNS: Final = (
    ("form", ""),
    ("graphs", "KB"),
    ("zipped", "KB"),
    ("items", "MB"),
    ("state", "bytes"),
    ("step", "x, 1"),
    ("vectors", "x, 1"),
    ("step", "x, 64"),
    ("both", "x, 64"),
    ("same bits in", "any batch"),
    ("hr@10", ""),
    ("ndcg@10", ""),
    ("change", "of ndcg@10"),
    ("+-", ""),
    ("ranks", "moved"),
    ("vectors", "differ by"),
)


def text_table(found: Mapping[str, Any]) -> str:
    """What ``models.studies.compare_forms.compare`` found, as lines."""
    rows = [[above for above, _ in _COLUMNS], [below for _, below in _COLUMNS]]
    rows += [_cells(form) for form in found["forms"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_footnotes(found)])


def _cells(form: Mapping[str, Any]) -> list[str]:
    fast, mean = form["times_as_fast"], form["mean"]
    return [
        form["name"],
        f"{form['graph_bytes'] / 1e3:,.0f}",
        f"{form['graph_bytes_compressed'] / 1e3:,.0f}",
        f"{form['items_bytes'] / 1e6:,.1f}",
        f"{form['state_bytes']:,}",
        *(f"{fast[name]:.2f}" for name in fast),
        "yes" if form["same_in_any_batch"] else "NO",
        f"{mean['hr@10']:.4f}",
        f"{mean['ndcg@10']:.4f}",
        f"{mean['change']:+.5f}",
        f"{mean['error']:.5f}",
        f"{form['ranks_moved']:.1%}",
        f"{form['vectors_differ']:.1e}",
    ]


def _footnotes(found: Mapping[str, Any]) -> list[str]:
    ships = next(form for form in found["forms"] if form["name"] == found["ships"])["speed"]
    return [
        f"{found['cases']:,} validation cases ({found['protocol']}), the same for all; mean of all "
        f"targets, change and its standard error case by case against {found['reference']}.",
        f"x: times as fast as what ships, in batches of 1 and 64 (ONNX Runtime, CPU time of one "
        f"thread, all in turn); that takes {ships['step_us_batch_1']:.1f} us a step and "
        f"{ships['migrate_us_batch_1']:.1f} us for the vectors, in batches of 64 "
        f"{ships['step_rows_per_s_batch_64']:,} steps a second and "
        f"{ships['both_rows_per_s_batch_64']:,} with vectors.",
    ]
