"""Fixtures of the tests on a real Kafka with logins."""

from tests.kafka.secured import login, secured

__all__ = ["login", "secured"]
