"""What passes, what is held while the line is cut, and what breaks when it is reset."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from deploy.kafka.process import free_port
from tests.chaos.systems.proxy import Proxies


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(1024):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(echo: int) -> Iterator[tuple[Proxies, int, int]]:
    """The proxies, and a port each of two workers."""
    here, other = free_port(), free_port()
    with Proxies({"W1": {here: echo}, "W2": {other: echo}}) as proxies:
        yield proxies, here, other


def ask(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(1024)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def test_a_cut_holds_one_workers_bytes_and_nothing_is_lost(
    line: tuple[Proxies, int, int],
) -> None:
    proxies, here, other = line
    with connect(here) as mine, connect(other) as theirs:
        assert ask(mine, b"1") == b"1"
        proxies.cut("W1")
        mine.sendall(b"2")
        mine.settimeout(0.3)
        with pytest.raises(TimeoutError):
            mine.recv(1024)
        assert ask(theirs, b"3") == b"3"
        mine.settimeout(30)
        proxies.heal("W1")
        assert mine.recv(1024) == b"2"


def test_who_connects_during_a_cut_waits(line: tuple[Proxies, int, int]) -> None:
    proxies, here, _ = line
    proxies.cut("W1")
    with connect(here) as mine:
        mine.sendall(b"1")
        proxies.heal("W1")
        assert mine.recv(1024) == b"1"


def test_a_reset_breaks_the_connection_and_lets_new_ones_pass(
    line: tuple[Proxies, int, int],
) -> None:
    proxies, here, _ = line
    with connect(here) as mine:
        assert ask(mine, b"1") == b"1"
        proxies.reset("W1")
        with contextlib.suppress(ConnectionError):
            assert mine.recv(1024) == b""
    with connect(here) as again:
        assert ask(again, b"2") == b"2"


def test_nobody_behind_it_closes_the_connection() -> None:
    here = free_port()
    with Proxies({"W1": {here: free_port()}}), connect(here) as mine:
        assert mine.recv(1024) == b""
