from __future__ import annotations

import socket
import struct
import threading

import pytest

from deploy.kafka.probe import CORRELATION_ID, brokers_in, is_ready, metadata_request


def test_the_request_is_a_whole_frame() -> None:
    frame = metadata_request(b"me")
    assert struct.unpack_from(">i", frame)[0] == len(frame) - 4
    assert struct.unpack_from(">hhih2si", frame, 4) == (3, 1, CORRELATION_ID, 2, b"me", 0)


@pytest.mark.parametrize(
    ("response", "brokers"),
    [
        (struct.pack(">ii", CORRELATION_ID, 1), 1),
        (struct.pack(">ii", CORRELATION_ID, 0), 0),
        (struct.pack(">ii", CORRELATION_ID + 1, 1), 0),
        (b"", 0),
    ],
)
def test_brokers_in(response: bytes, brokers: int) -> None:
    assert brokers_in(response) == brokers


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (struct.pack(">iii", 8, CORRELATION_ID, 1), True),
        (struct.pack(">iii", 8, CORRELATION_ID, 0), False),
        (b"\x00\x00", False),  # closed in the middle of the length
    ],
)
def test_is_ready(answer: bytes, ready: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert is_ready("127.0.0.1", server.getsockname()[1]) is ready
        thread.join()


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not is_ready("127.0.0.1", unused.getsockname()[1])
