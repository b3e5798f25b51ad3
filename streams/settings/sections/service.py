"""The section ``[service]``: name, bundle, state, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.settings.base import Section, Topic


class Service(Section):
    """The worker as a whole."""

    name: Topic = Field(
        default="interest-stream",
        description="Name of the service: Kafka consumer group and prefix of its changelog "
        "topics. Workers with the same name share the work; another name starts from nothing.",
    )
    bundle: Path = Field(
        default=Path("bundle"),
        description="Folder of the model bundle that `interest-stream export` wrote; relative "
        "to the working directory.",
    )
    state_dir: Path = Field(
        default=Path("state"),
        description="Folder of the local state store; one per worker process. It is a cache of "
        "the changelog: losing it costs a recovery, no data.",
    )
    store: Literal["rocksdb", "memory"] = Field(
        default="rocksdb",
        description="Local store of the user states: `rocksdb` on disk, or `memory` (then the "
        "whole changelog is read at each start).",
    )
    users_in_memory: int = Field(
        default=49_152,
        ge=1024,
        le=10_000_000,
        description="Users whose state a worker keeps in memory, 2 to 3.5 KiB each; the others "
        "are read from the local store when an event of theirs arrives.",
    )
    batch_records: int = Field(
        default=8_192,
        ge=1,
        le=100_000,
        description="Most records that are fetched at once, and users that are computed together: "
        "of a backlog also more records, where they take less than 0.25 s. At most a quarter of "
        "`users_in_memory`. Smaller batches answer sooner under load, larger ones cost less.",
    )
    stop_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Seconds within which the worker stops after SIGTERM, with everything "
        "acknowledged and committed.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Level of the project's own log lines. Kafka and Faust libraries log "
        "warnings only, unless this is `debug`.",
    )
    log_hash_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the hashes that stand for people's ids in log lines; best set in the "
        "environment. Without one each process has a random key, and the hashes of two processes "
        "can't be compared.",
    )

    @model_validator(mode="after")
    def _room(self) -> Self:
        # Two batches are under way at once, and their users can't be evicted.
        if self.batch_records * 4 > self.users_in_memory:
            raise ValueError(
                f"has batch_records = {self.batch_records} and users_in_memory = "
                f"{self.users_in_memory}; make users_in_memory at least four times as large"
            )
        return self
