"""What ``train`` and ``export`` print about a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def print_metrics(metrics: Mapping[str, Any], out: Path) -> None:
    """Validation figures, speed and parity of the bundle that was written to ``out``."""
    for line in lines(metrics, out):
        print(line)


def lines(metrics: Mapping[str, Any], out: Path) -> list[str]:
    """The report's lines."""
    made = [
        f"{platform}: validation "
        + "  ".join(f"{name} {figures[name]:.4f}" for name in ("hr@5", "hr@10", "ndcg@10", "mrr"))
        for platform, figures in metrics.get("validation", {}).items()
    ]
    speed, parity = metrics["speed"], metrics["parity"]
    made.append(
        f"one step {speed['step_us_batch_1']:.1f} µs (and vectors "
        f"{speed['migrate_us_batch_1']:.1f} µs), "
        f"{speed['step_rows_per_s_batch_64']:,} rows/s in batches of 64; "
        f"state {speed['state_bytes']} bytes (ONNX Runtime, one CPU thread)"
    )
    made.append(
        f"ONNX against torch over 1,000 steps: state within {parity['parity_chain_state']:.1e}, "
        f"vectors within {parity['parity_chain_interests']:.1e}"
    )
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    made.append(f"bundle {metrics['bundle_id']} in {out} ({size / 1e6:.1f} MB)")
    return made
