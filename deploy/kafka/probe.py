"""Two questions in Kafka's own protocol: does a broker answer, and does it know its cluster?

Written out by hand (https://kafka.apache.org/protocol), because waiting for a server shouldn't
need a client library, whose own retries and timeouts would hide when it became ready.
"""

from __future__ import annotations

import socket
import struct

METADATA = 3
METADATA_VERSION = 1
CORRELATION_ID = 7


def metadata_request(client_id: bytes = b"probe") -> bytes:
    """A Metadata v1 request for no topics, with its length in front."""
    header = struct.pack(
        f">hhih{len(client_id)}s",
        METADATA,
        METADATA_VERSION,
        CORRELATION_ID,
        len(client_id),
        client_id,
    )
    body = header + struct.pack(">i", 0)
    return struct.pack(">i", len(body)) + body


def brokers_in(response: bytes) -> int:
    """Number of live brokers that a Metadata response lists, 0 if it isn't one.

    Args:
        response: the response without its length.
    """
    if len(response) < 8:
        return 0
    correlation, brokers = struct.unpack_from(">ii", response)
    return int(brokers) if correlation == CORRELATION_ID else 0


def is_ready(host: str, port: int, timeout_s: float = 2.0) -> bool:
    """Whether the broker at ``host:port`` answers and lists at least one live broker."""
    return live_brokers(host, port, timeout_s) > 0


def live_brokers(host: str, port: int, timeout_s: float = 2.0) -> int:
    """Number of live brokers that the broker at ``host:port`` lists; 0 while it doesn't answer.

    A broker that is still starting refuses the connection, or holds it without an answer.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(metadata_request())
            length = struct.unpack(">i", _read(connection, 4))[0]
            return brokers_in(_read(connection, length))
    except OSError:
        return 0


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("the broker closed the connection")
        parts += part
    return bytes(parts)
