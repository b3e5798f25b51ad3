"""Trainings of a study, each in a process of its own: a bundle, its trained model, its log."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from models.data.read import read_events
from models.data.table import TRAIN, EventTable
from models.errors import ModelError
from models.studies.plan import OURS, Job
from models.studies.train_bundle import train_bundle
from models.studies.variants import TEXT
from models.training.options import TrainOptions


def processes(count: int) -> ProcessPoolExecutor:
    """At most ``count`` at once, each for one task: a training's memory goes with it.

    Each has one thread: linear algebra would take every core in each of them.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read as numpy is loaded there
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max(1, count), mp_context=context, max_tasks_per_child=1)


def train_all(
    jobs: Sequence[Job], args: argparse.Namespace, protocol: str, began: float
) -> dict[str, str]:
    """Train each job in a process of its own, ``args.jobs`` at a time.

    Returns:
        Variant -> why it can't be trained on this data; hours of others aren't lost for it.

    Raises:
        ModelError: ours can't be trained.
    """
    failed = {}
    with processes(args.jobs) as pool:
        waiting = {
            pool.submit(
                train_job, job, args.data, args.users, args.epochs, protocol, args.resume
            ): job
            for job in jobs
        }
        for done in as_completed(waiting):
            job = waiting[done]
            try:
                told = done.result()
            except ModelError as error:
                if job.name == OURS:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
                failed[job.name] = told = str(error)
            print(f"{time.perf_counter() - began:6.0f} s  {job.folder.name}: {told}", flush=True)
    return failed


def train_job(
    job: Job, data: Path, users: int | None, epochs: int | None, protocol: str, resume: bool = False
) -> str:
    """Train one bundle, its lines in a log beside it; returns the line that says how long.

    Args:
        job: what to train.
        data: folder or file of events.
        users: only the first so many.
        epochs: at most so many.
        protocol: keeps its test events out.
        resume: leave a bundle that is there with the same settings as it is.
    """
    settings = repr((job.seed, job.ties, job.changes, str(data.resolve()), users, epochs, protocol))
    done = _beside(job, ".done")  # written last: a training that was cut off has none
    there = done.is_file() and (job.folder / "bundle.json").is_file()
    if resume and there and done.read_text("utf-8") == settings:
        return outcome(job)
    done.unlink(missing_ok=True)
    changes = [f"seed={job.seed}", *([f"epochs={epochs}"] if epochs else [])]
    changes += [one for one in job.changes if not one.startswith("--")]
    text = [one.removeprefix(TEXT) for one in job.changes if one.startswith(TEXT)]
    options = TrainOptions(
        data.name, changes, job.seed, protocol, job.ties, text=text[-1] if text else "hashed"
    )
    log = _beside(job, ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    # A line at a time, so that the log can be followed.
    with log.open("w", buffering=1, encoding="utf-8") as file, redirect_stdout(file):
        train_bundle(some_users(read_events(data), users), options, job.folder)
    done.write_text(settings, "utf-8")
    return outcome(job)


def _beside(job: Job, ending: str) -> Path:
    return job.folder.with_name(job.folder.name + ending)


def outcome(job: Job) -> str:
    """The line of a training's log that says how long it took."""
    lines = _beside(job, ".log").read_text("utf-8").splitlines()
    return next((line for line in lines if line.startswith("trained")), "")


def some_users(table: EventTable, count: int | None) -> EventTable:
    """The events of the first ``count`` users, all of them for None.

    Where the data prescribes its cases, of everybody who has one or is on several platforms, and
    evenly of all others so many that it is ``count`` users: the first ones may have no case.
    """
    if count is None or table.part is None:
        return table if count is None else table.select(table.user < count)
    users, pair = len(table.users), table.user.astype(np.int64) * len(table.platforms)
    on = np.bincount(np.unique(pair + table.platform) // len(table.platforms), minlength=users)
    needed = (on > 1) | (np.bincount(table.user[table.part != TRAIN], minlength=users) > 0)
    rest = np.flatnonzero(~needed)
    more = np.linspace(0, len(rest) - 1, max(0, min(count - int(needed.sum()), len(rest))))
    needed[rest[more.astype(np.int64)]] = True
    return table.select(needed[table.user])
