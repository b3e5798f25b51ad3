"""Produces vector records as the worker does, for tests of subscribers."""

from __future__ import annotations

from typing import Any

import numpy as np
from kafka import KafkaProducer

from streams.demo.broker import KAFKA_PYTHON_CONFIG
from streams.publish.encode import VectorEncoder
from streams.subscribe.schema import Encoding
from tests.unit.streams.vectors import vector_batch

PLATFORMS = ("video", "shop")


class Publisher:
    """One topic of target ``shop``; ``real`` says which broker it is."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        encoding: Encoding = "msgpack",
        *,
        bundle: str = "b1",
        real: bool = False,
    ) -> None:
        self.topic = topic
        self.encoder = VectorEncoder(bundle, PLATFORMS, encoding)
        options: dict[str, Any] = {} if real else dict(KAFKA_PYTHON_CONFIG)
        self.producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, **options)

    def publish(self, ids: list[str], number: float, width: int = 4) -> None:
        """An update for each id whose vector is ``width`` times ``number``."""
        vectors = np.full((len(ids), width), number, np.float32)
        batch = vector_batch(ids, vectors, [0.5, 0.5], as_of_ms=0, events=0, source_ms=0)
        for key, value in self.encoder.encode("shop", batch, 0):
            self.producer.send(self.topic, key=key, value=value, headers=self.encoder.headers)
        self.producer.flush()

    def withdraw(self, id: str) -> None:
        """A tombstone."""
        key, value, headers = self.encoder.tombstone("shop", id)
        self.producer.send(self.topic, key=key, value=value, headers=headers)
        self.producer.flush()

    def close(self) -> None:
        """Disconnect."""
        self.producer.close()
