"""The sections of the settings, each a frozen model; the descriptions are the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from streams.settings.base import TOPIC_RULE, Section, Topic, topic_is_legal

TARGET: Final = "{target}"
MIN_TOKEN: Final = 16
MAX_WINDOW_EVENTS: Final = 250  # the stored value counts them in one byte, with room to spare


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


class Intake(Section):
    """The platforms' topics, and the limits of what is accepted from them."""

    partitions: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="Partitions of the platforms' topics that the worker creates. Existing "
        "topics may have any number.",
    )
    retention_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="Retention of the event topics that the worker creates, in days.",
    )
    max_id_bytes: int = Field(
        default=256,
        ge=8,
        le=4096,
        description="Longest id (user, local id, item, event) in bytes of UTF-8; longer ones "
        "make the record a dead letter.",
    )
    max_items: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Most items of one event (a purchase of several items is one event each); "
        "more make the record a dead letter.",
    )


class Events(Section):
    """The log that the update reads: all events and links, keyed by user."""

    topic: Topic = Field(default="interest.events", description="Name of the topic.")
    partitions: int = Field(
        default=8,
        ge=1,
        le=10_000,
        description="Partitions, and the most workers that can share the work. Fixed for the "
        "life of the topic: a user's key decides the partition.",
    )
    retention_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="Retention in days; longer than the longest outage to be survived.",
    )


class Window(Section):
    """The recent events that are kept of each user."""

    events: int = Field(
        default=64,
        ge=2,
        le=MAX_WINDOW_EVENTS,
        multiple_of=2,
        description="Most events of one user (an even number: a snapshot of the state is taken "
        "at each half).",
    )
    days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="Days of event time behind the user's newest event.",
    )
    max_future_s: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="Seconds by which an event's time may be ahead of the worker's clock; an "
        "event further ahead becomes a dead letter.",
    )


class Output(Section):
    """The topics with the migrated vectors."""

    topic: str = Field(
        default="interest.vectors.{target}",
        description="Name of a target platform's topic; `{target}` stands for the platform. "
        "Without it all targets go to one topic, and the platform's name is part of the key.",
    )
    encoding: Literal["msgpack", "json"] = Field(
        default="msgpack",
        description="Encoding of the vector messages; the header `content-type` says it too.",
    )
    partitions: int = Field(
        default=8, ge=1, le=10_000, description="Partitions of a topic that the worker creates."
    )
    labels: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Interest labels in each message at most, with their shares; the rest counts "
        "as `other`. 0 leaves them out. Only bundles with categories or titles have labels.",
    )

    @field_validator("topic")
    @classmethod
    def _legal(cls, template: str) -> str:
        if not topic_is_legal(template.replace(TARGET, "x")):
            raise ValueError(
                f"isn't a legal topic name; {TOPIC_RULE}, and {TARGET} for the platform"
            )
        return template

    @property
    def single_topic(self) -> bool:
        """Whether all targets share one topic."""
        return TARGET not in self.topic


class DeadLetter(Section):
    """The topic with records that can't be used."""

    topic: Topic = Field(default="interest.deadletter", description="Name of the topic.")
    partitions: int = Field(
        default=1, ge=1, le=10_000, description="Partitions, if the worker creates the topic."
    )
    retention_days: float = Field(default=30.0, gt=0, le=3650, description="Retention in days.")


class Http(Section):
    """The worker's web server: health, metrics, views of users."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; `0.0.0.0` for all. Beyond this machine, looking at a "
        "user needs `token`.",
    )
    port: int = Field(default=6066, ge=1, le=65_535, description="Port to listen on.")
    token: SecretStr = Field(
        default=SecretStr(""),
        description="What a request for a user must carry (`Authorization: Bearer ...`), at least "
        "16 characters; best set in the environment. Without one, users can be looked at only "
        "where `host` is this machine. Health and metrics never need it.",
    )
    token_file: str = Field(default="", description="A file with the token, in place of `token`.")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        token = self.token.get_secret_value()
        if token and self.token_file:
            raise ValueError("has a token and a token_file; keep one of them")
        if 0 < len(token) < MIN_TOKEN:
            raise ValueError(
                f"has a token of {len(token)} characters; make it at least {MIN_TOKEN}, for "
                "instance with `openssl rand -hex 32`"
            )
        return self


class Onnx(Section):
    """Where the model runs."""

    providers: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="`auto`: CUDA where it really runs, else the CPU. `cpu`: the CPU. `cuda`: "
        "CUDA, or the worker doesn't start.",
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="Threads of ONNX Runtime in one operator."
    )
