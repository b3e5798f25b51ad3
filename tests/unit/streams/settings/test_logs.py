"""Log lines: their format, and who is quiet."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from aiokafka.errors import InvalidTopicError, KafkaError, NotLeaderForPartitionError

from streams.settings.logs import FETCHER, LIBRARIES, configure_logging


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger(FETCHER).filters.clear()


def test_a_line_has_time_level_name_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logging.getLogger("streams.runtime").info("started")
    logging.getLogger("streams.runtime").debug("unseen")
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    streams.runtime: started\n", line
    )


@pytest.mark.parametrize(("level", "libraries"), [("info", "WARNING"), ("debug", "INFO")])
def test_libraries_are_quiet_and_the_root_is_never_at_debug(level: str, libraries: str) -> None:
    configure_logging(level)
    assert logging.getLogger().level == logging.WARNING
    for name in LIBRARIES:
        assert logging.getLevelName(logging.getLogger(name).level) == libraries


@pytest.mark.parametrize(
    ("level", "error", "said"),
    [
        ("info", NotLeaderForPartitionError(), False),
        ("info", InvalidTopicError(), True),
        ("debug", NotLeaderForPartitionError(), True),
    ],
)
def test_a_leader_that_is_looked_for_is_no_error(
    level: str, error: KafkaError, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level)
    logging.getLogger(FETCHER).error("Failed fetch offsets from %s: %s", 1, error)
    assert ("Failed fetch offsets" in capsys.readouterr().err) is said


def test_a_leader_that_isn_t_found_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logger, error = logging.getLogger(FETCHER), NotLeaderForPartitionError()
    for at in (0.0, 4.9, 5.1, 20.0, 24.9, 25.1):  # the second pair after a rest
        values = {"msg": "at %s: %s", "args": (at, error), "created": 1e9 + at}
        logger.handle(logging.makeLogRecord({"name": FETCHER, "levelno": logging.ERROR} | values))
    said = capsys.readouterr().err
    assert [at for at in ("0.0", "4.9", "5.1", "20.0", "24.9", "25.1") if f"at {at}:" in said] == [
        "5.1",
        "25.1",
    ]
