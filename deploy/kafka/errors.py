"""What can go wrong with a local Kafka server."""

from __future__ import annotations

from streams.errors import BrokerError


class KafkaServerError(BrokerError):
    """The local Kafka server couldn't be fetched, started or stopped."""


class MissingToolError(KafkaServerError):
    """Java or Maven isn't on this machine, or Java is too old for Kafka 4."""
