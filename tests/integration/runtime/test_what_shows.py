"""What a worker shows to whom: pages with and without the token, and log lines without ids."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.runtime.conftest import PREFIX, Service, StartService

MARK = "zq7private"
"""Part of every id that this module sends; it must be in no log line."""
TOKEN = "token-of-the-operators"
LETTERS = f"{PREFIX}.deadletter"
OUTPUTS = [f"{PREFIX}.vectors.{name}" for name in ("video", "shop", "news")]


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Iterator[Service]:
    sections = {"http": {"token": TOKEN}, "service": {"log_level": "debug"}}
    with start_service(OUTPUTS, sections) as service:
        yield service


def ask(service: Service, path: str, token: str | None = None) -> tuple[int, Any]:
    """Status and body of a request."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.worker.port}{path}", headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_health_and_metrics_are_open_and_people_are_not(service: Service) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert ask(service, path)[0] == 200
    for path in (f"/users/{MARK}-ann", f"/users/shop/{MARK}-c"):
        for token in (None, "another", TOKEN + "x"):
            status, body = ask(service, path, token)
            assert status == 401
            assert "http.token" in json.loads(body)["error"]
        assert ask(service, path, TOKEN)[0] == 404


def test_fausts_own_pages_are_off(service: Service) -> None:
    """They would show what is stored under any key."""
    for path in ("/table/", f"/table/users/u%2F{MARK}-ann/", "/router/", "/graph/", "/assignment/"):
        assert ask(service, path)[0] == 404


def bad_values() -> list[bytes | None]:
    """Records that can't be used, each with the mark in another place."""
    now = int(time.time() * 1000)
    event = {"user_id": f"{MARK}-u", "item_id": f"{MARK}-i", "time": now}
    values: list[Any] = [
        {**event, "time": f"{MARK} o'clock"},
        {**event, "time": now + 9_000_000},
        {**event, "action": MARK},
        {**event, "user_id": MARK * 40},
        {**event, "user_id": {"id": MARK}},
        {**event, "items": [{"item_id": MARK}, {"item_id": None}]},
        [MARK],
        MARK,
    ]
    raw: list[bytes | None] = [json.dumps(value).encode() for value in values]
    return [*raw, f"{{{MARK}".encode(), MARK.encode() + b"\xff", None]


def test_no_log_line_has_an_id(service: Service) -> None:
    now = int(time.time() * 1000)
    for value in bad_values():
        for topic in ("video.click", "shop.purchase", "shop.links", "news.items"):
            service.send(topic, f"{MARK}-key", value)
    service.send("shop.links", f"{MARK}-c", {"user_id": f"{MARK}-ann"})
    service.send("shop.click", "k", {"local_id": f"{MARK}-c", "item_id": "shop-1", "time": now})
    service.send("video.click", "k", {"user_id": f"{MARK}-ann", "item_id": MARK, "time": now})
    # What only the service may write, written by somebody else: dead letters too.
    service.send("events", f"u/{MARK}", f"{MARK} no record".encode())
    service.send("events", f"{MARK}", b"\x93\xa1e\xa1x")
    key = f"{MARK}-ann"
    service.broker.until(service.broker.update(OUTPUTS[0], key, 2), "both events in one vector")
    service.broker.until(
        lambda: len(service.broker.letters(LETTERS, reason="log_record")) == 2 or None,
        "letters of what isn't a record of the log",
    )
    assert len({letter.reason for letter in service.broker.letters(LETTERS)}) > 5
    assert ask(service, f"/users/{key}", TOKEN)[0] == 200
    assert service.worker.terminate() == 0
    log = service.worker.log()
    assert "worker started" in log
    assert MARK not in log
    assert TOKEN not in log
