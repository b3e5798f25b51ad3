"""What training tells while it runs, and how a terminal shows it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the data came to.

    Attributes:
        number: from 1.
        loss: mean training loss in nats.
        validation: platform -> metric -> value.
        score: what the best epoch is chosen by: mean of the platforms' NDCG@10.
    """

    number: int
    loss: float
    validation: dict[str, dict[str, float]]
    score: float


@dataclass(slots=True)
class Progress:
    """Who is told; each may be left out.

    Attributes:
        batch: called with (epoch from 1, sequences done, sequences of an epoch).
        epoch: called after each epoch.
    """

    batch: Callable[[int, int, int], object] = field(default=lambda number, done, count: None)
    epoch: Callable[[Epoch], object] = field(default=lambda done: None)


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A bar in a terminal, and a line for each epoch."""
    with tqdm(unit="seq", disable=not sys.stderr.isatty(), leave=False) as bar:
        yield Progress(batch=lambda *at: _move(bar, *at), epoch=_print_epoch)


def title_bar() -> Callable[[int, int], None]:
    """A bar of titles that are encoded: called with (titles done, titles)."""
    bar = tqdm(desc="titles", unit="title", disable=not sys.stderr.isatty(), leave=False)
    return lambda done, count: _move(bar, 0, done, count)


def say(line: str) -> None:
    """A line on standard output, above whatever bar there is."""
    tqdm.write(line, file=sys.stdout)


def _move(bar: Any, number: int, done: int, count: int) -> None:
    if number:
        bar.set_description(f"epoch {number}", refresh=False)
    bar.total, bar.n = count, done
    bar.refresh()


def _print_epoch(epoch: Epoch) -> None:
    figures = "  ".join(
        f"{name} hr@10 {found['hr@10']:.4f} ndcg@10 {found['ndcg@10']:.4f}"
        for name, found in epoch.validation.items()
    )
    say(f"epoch {epoch.number:2d}  loss {epoch.loss:.3f}  {figures}")
