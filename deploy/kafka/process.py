"""Something with a folder that is started and stopped: what a server and a cluster share."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.kafka.errors import KafkaServerError
from deploy.kafka.properties import HOST

# Below the range that Linux takes for outgoing connections (32768 and up), so that none of
# those takes the port between our choice and the server's bind, or during a restart.
PORTS: Final = range(20_000, 32_000)


class Startable(ABC):
    """A context manager that starts, stops, and takes its own folder away.

    Args:
        data_dir: folder of all data, which stays; default a new temporary one, which doesn't.
        prefix: beginning of the temporary folder's name.

    Attributes:
        folder: where the data are.
    """

    def __init__(self, data_dir: Path | None, prefix: str) -> None:
        self._own_folder = data_dir is None
        self.folder = data_dir or Path(tempfile.mkdtemp(prefix=prefix))

    @abstractmethod
    def start(self) -> None:
        """Start, and return when it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End it; the data stay."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on.

    Raises:
        KafkaServerError: none of 200 random ports was free.
    """
    for port in random.sample(PORTS, 200):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind((HOST, port))
            return port
    raise KafkaServerError(f"no free port among 200 of {PORTS}; stop what listens there")
