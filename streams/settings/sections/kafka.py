"""The section ``[kafka]``: where the brokers are, how to log in, and the timing of it all."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from streams.connection import Connection
from streams.settings.base import Section, Topic, split_list


class Kafka(Section):
    """The brokers, and how the worker talks to them."""

    bootstrap: Annotated[tuple[str, ...], BeforeValidator(split_list)] = Field(
        default=("localhost:9092",),
        min_length=1,
        description="Brokers to begin with, as `host:port`; a list, or text with commas.",
    )
    client_id: Topic = Field(
        default="interest-stream", description="Client id that brokers write in their logs."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="How to speak to the brokers: `SASL_SSL` where others can reach them (TLS, "
        "and a login), `SSL` with a certificate of the client's own, `PLAINTEXT` on one machine.",
    )
    ca_file: str = Field(
        default="",
        description="PEM file of the authorities that signed the brokers' certificates; without "
        "one, those that the system trusts.",
    )
    cert_file: str = Field(
        default="",
        description="PEM file of the worker's own certificate, where brokers ask for one.",
    )
    key_file: str = Field(
        default="",
        description="PEM file of that certificate's key; without one it is in `cert_file`.",
    )
    key_password: SecretStr = Field(
        default=SecretStr(""),
        description="What the key is encrypted with; best set in the environment.",
    )
    check_hostname: bool = Field(
        default=True,
        description="Whether a broker's certificate must carry the name or address it is reached "
        "by. `false` lets anybody with a certificate of the authority pose as a broker.",
    )
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="How to log in, with a protocol that has SASL."
    )
    username: str = Field(
        default="", description="The principal that the worker logs in as, with SASL."
    )
    password: SecretStr = Field(
        default=SecretStr(""),
        description="Its password; best set in the environment. It never shows in logs, messages "
        "or views.",
    )
    password_file: str = Field(
        default="",
        description="A file with the password, in place of `password`; a line break at its end "
        "isn't part of it.",
    )
    replication_factor: int = Field(
        default=1,
        ge=1,
        le=32,
        description="Replicas of each topic that the worker creates; 3 in production.",
    )
    create_topics: bool = Field(
        default=True,
        description="Create topics that are missing. `false`: a missing topic is an error at "
        "start (for brokers where topics are made by others).",
    )
    fencing: bool = Field(
        default=True,
        description="A worker that takes over partitions shuts their former owner out at the "
        "broker, so that a paused one can't write over newer states when it wakes up. Needs "
        "transactional ids that begin with `{service.name}-users-`. `false`: for a broker without "
        "transactions, with one worker.",
    )
    session_timeout_s: float = Field(
        default=10.0,
        ge=1,
        le=1800,
        description="Seconds after which a worker that sends no heartbeat loses its partitions. "
        "The broker's `group.min.session.timeout.ms` (6 s) is the lower bound.",
    )
    heartbeat_interval_s: float = Field(
        default=2.0,
        gt=0,
        le=600,
        description="Seconds between heartbeats; at most half of the session timeout, so that "
        "one lost heartbeat doesn't cost the partitions.",
    )
    rebalance_timeout_s: float = Field(
        default=10.0,
        ge=1,
        le=1800,
        description="Seconds that a rebalance waits for a worker to join again.",
    )
    request_timeout_s: float = Field(
        default=40.0,
        ge=1,
        le=600,
        description="Seconds after which a request to a broker has failed; longer than the "
        "session timeout, because joining a group waits that long.",
    )
    fetch_max_wait_ms: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="Longest time in milliseconds that a broker waits for data before it "
        "answers a fetch. Large values slow down a backlog over several partitions.",
    )
    fetch_min_bytes: int = Field(
        default=1,
        ge=1,
        description="Bytes that a broker collects, within `fetch_max_wait_ms`, before it answers "
        "a fetch.",
    )
    max_partition_fetch_bytes: int = Field(
        default=1_048_576,
        ge=1024,
        le=1_073_741_824,
        description="Most bytes of one partition in one fetch; bounds memory and batch size.",
    )

    @field_validator("bootstrap")
    @classmethod
    def _host_port(cls, brokers: tuple[str, ...]) -> tuple[str, ...]:
        for broker in brokers:
            host, _, port = broker.rpartition(":")
            if not host or "//" in host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"has {broker!r}; write each broker as host:port")
        return brokers

    @model_validator(mode="after")
    def _timeouts(self) -> Self:
        if self.heartbeat_interval_s * 2 > self.session_timeout_s:
            raise ValueError(
                f"has heartbeat_interval_s = {self.heartbeat_interval_s:g} and session_timeout_s "
                f"= {self.session_timeout_s:g}; make the session at least twice the heartbeat"
            )
        if self.request_timeout_s <= self.session_timeout_s:
            raise ValueError(
                f"has request_timeout_s = {self.request_timeout_s:g} and session_timeout_s = "
                f"{self.session_timeout_s:g}; make the request timeout the longer one"
            )
        return self

    @model_validator(mode="after")
    def _security(self) -> Self:
        if problems := self.connection().problems():
            raise ValueError("; ".join(problems))
        return self

    def connection(self) -> Connection:
        """How to reach the brokers, for any client library."""
        return Connection(
            security_protocol=self.security_protocol,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            key_password=self.key_password.get_secret_value(),
            check_hostname=self.check_hostname,
            sasl_mechanism=self.sasl_mechanism,
            username=self.username,
            password=self.password.get_secret_value(),
            password_file=self.password_file,
        )
