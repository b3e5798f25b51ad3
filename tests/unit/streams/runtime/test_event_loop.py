"""A TLS connection whose other side doesn't say farewell is closed all the same, and soon."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.secure import Authority
from streams.runtime import event_loop as worker_loop
from streams.runtime.event_loop import Loop, LoopPolicy
from tests.support import require

LIMIT_S = 10.0
"""Far from uvloop's own 30 s."""


class Closed(asyncio.Protocol):
    """Tells when the connection is gone."""

    def __init__(self) -> None:
        self.gone = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)


@pytest.fixture
def silent_server(tmp_path: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """A server that greets, and then neither reads nor writes; its port, and who trusts it."""
    require("the command openssl", shutil.which("openssl"), "apt-get install openssl")
    authority = Authority(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("server"))
    over, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True):
            over.wait()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], ssl.create_default_context(cafile=str(authority.ca_file))
    over.set()
    thread.join()
    listener.close()


def test_nobody_waits_long_for_a_farewell(
    silent_server: tuple[int, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, trusting = silent_server
    monkeypatch.setattr(worker_loop, "FAREWELL_S", 0.2)

    async def come_and_go() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(
            Closed, "127.0.0.1", port, ssl=trusting, server_hostname="localhost"
        )
        transport.close()
        try:
            await asyncio.wait_for(protocol.gone, LIMIT_S)
        finally:
            transport.abort()  # else the loop's end would wait in its stead

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(come_and_go())


def test_threads_get_the_same_loop() -> None:
    made = LoopPolicy().new_event_loop()
    assert type(made) is Loop
    made.close()
