"""The report for the terminal: lines of at most 100 characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from models.report.figures import HEADLINE

_COLUMNS: Final = (*HEADLINE, "coverage", "self_information")
_SHORT: Final = {"coverage": "coverage", "self_information": "bits/item"}
_PURCHASE: Final = "purchase"


def time_remark(found: Mapping[str, Any]) -> str:
    """Who sees when the ranked event happens, which other models' figures are without."""
    named = ", ".join(dict.fromkeys(found.get("sees_time", ())))
    if not named:
        return ""
    return (
        f"{named}: the trend sees when the ranked event happens, as popularity of N days does; "
        "published models such as ABXI don't."
    )


def text_table(found: Mapping[str, Any]) -> str:
    """The report's figures as lines of at most 100 characters."""
    lines = [f"{found['data']}: protocol {found['protocol']}, {_seeds(found['seeds'])}"]
    lines += _tables(found["methods"])
    if found["ties_shuffled"]:
        lines += ["", "The same with tied timestamps shuffled"]
        lines += _tables(found["ties_shuffled"])
    remark = time_remark(found)
    lines += ["", *wrap(remark, 100)] if remark else []
    lines += _action_lines(found["actions"])
    for ours, targets in found["against_best"].items():
        lines += ["", f"{ours} against the best baseline of each figure (95% interval over users)"]
        lines += [
            f"  {target:12} {metric:8} {row['difference']:+.4f} ({row['low']:+.4f} to "
            f"{row['high']:+.4f}), {row['gain'] or 0:.2f} times {row['baseline']}"
            for target, metrics in targets.items()
            for metric, row in metrics.items()
        ]
    lines += _compared_lines(found)
    lines += _growth_lines(found)
    for ours, labelled in found["labels"].items():
        lines += _label_lines(ours, labelled)
    lines += [f"not run: {name}: {why}" for name, why in found["not_applicable"].items()]
    return "\n".join(lines)


def _action_lines(actions: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """For each method how well the next event of each action ranks, where there are several."""
    lines: list[str] = []
    for name, targets in actions.items():
        for target, rows in targets.items():
            if len(rows) > 1:
                lines += ["", f"{name}, next event on {target} by action"]
                lines += [
                    f"  {action:10} "
                    + "  ".join(f"{m} {row[m]:.4f}" for m in HEADLINE)
                    + f"  {row['cases']:,} cases"
                    for action, row in rows.items()
                ]
    return lines


def _compared_lines(found: Mapping[str, Any]) -> list[str]:
    """The ablations and sizes of a study, by NDCG@10, on the cases that they are chosen on."""
    lines: list[str] = []
    if found.get("ablations"):
        lines += ["", f"Ablations, ndcg@10 against ours of the same seed, {_cases(found)}"]
    for name, row in found.get("ablations", {}).items():
        lines += [_change_line(name, target, at) for target, at in row["targets"].items()]
    for target, cases in next_purchases(found).items():
        count = next(iter(cases.values()))["cases"]
        lines += ["", f"The same where the next event on {target} is a purchase ({count:,} cases)"]
        lines += [_change_line(name, target, at) for name, at in cases.items()]
    if found.get("sizes"):
        lines += ["", f"Sizes, ndcg@10, {_cases(found)}"]
    for name, targets in found.get("sizes", {}).items():
        at = "  ".join(f"{target} {figures['ndcg@10']:.4f}" for target, figures in targets.items())
        lines.append(f"  {name:10} {found['speed'][name]['step_us_batch_1']:5.0f} µs  {at}")
    return lines


def next_purchases(found: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Target with several actions -> ablation -> its figures where the next is a purchase."""
    made: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, row in found.get("ablations", {}).items():
        for target, actions in row["actions"].items():
            if _PURCHASE in actions:
                made.setdefault(target, {})[name] = actions[_PURCHASE]
    return made


def _change_line(name: str, target: str, figures: Mapping[str, Any]) -> str:
    at = figures["ndcg@10"]
    return (
        f"  {name:28} {target:12} {at['value']:.4f}  {at['difference']:+.4f} "
        f"({at['low']:+.4f} to {at['high']:+.4f})"
    )


def _growth_lines(found: Mapping[str, Any]) -> list[str]:
    """A platform taken for a new one: grown onto a model of the others, and from nothing."""
    growth = found.get("growth")
    if not growth:
        return []
    count = len(growth["seeds"])
    return [
        "",
        f"{growth['platform']} as a new platform, by the share of its people whose events are "
        f"there, {growth['part']} cases, {count} seed{'s' if count > 1 else ''}",
        *(
            f"  {point['share']:4.0%} ({point['people']:,} people)  "
            + "  ".join(f"{m} {point['grown'][m]:.4f} grown {point['scratch'][m]:.4f} from nothing"
                        for m in ("hr@10", "ndcg@10"))
            for point in growth["points"]
        ),
    ]  # fmt: skip


def _cases(found: Mapping[str, Any]) -> str:
    seeds = found["compared"]["seeds"]
    return f"{found['compared']['part']} cases, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"


def _label_lines(ours: str, labelled: Mapping[str, Mapping[str, Any]]) -> list[str]:
    made = [""] if labelled else []
    for target, row in labelled.items():
        made.append(f"{ours}, labels of {target} ({row['labels']} labels, {row['cases']:,} cases)")
        made += [
            f"  {name:8} " + "  ".join(f"{key} {value:.3f}" for key, value in row[name].items())
            for name in ("vectors", "past")
        ]
    return made


def _seeds(seeds: Sequence[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds, mean ± standard deviation"


def _tables(methods: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    lines: list[str] = []
    targets = dict.fromkeys(target for figures in methods.values() for target in figures)
    width = max((len(name) for name in methods), default=0)
    for target in targets:
        rows = {name: figures[target] for name, figures in methods.items() if target in figures}
        cases = next(iter(rows.values()))["cases"]
        names = "".join(f"{_SHORT.get(c, c):>{_width(c)}}" for c in _COLUMNS)
        lines += ["", f"{target} ({cases:,} cases)", f"  {'':{width}}{names}"]
        lines += [f"  {name:{width}}{_row(row)}" for name, row in rows.items()]
    return lines


def _width(column: str) -> int:
    return 14 if column in HEADLINE else 10


def _row(row: Mapping[str, Any]) -> str:
    return "".join(f"{_cell(row, c):>{_width(c)}}" for c in _COLUMNS)


def _cell(row: Mapping[str, Any], column: str) -> str:
    text = f"{row[column]:.{2 if column == 'self_information' else 4}f}"
    spread = "std" in row and column in HEADLINE
    return f"{text}±{row['std'][column]:.4f}" if spread else text
