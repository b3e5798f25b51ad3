"""Log lines: one format, UTC, and libraries that are quiet unless asked.

Faust and its libraries log per message at DEBUG, and `faust worker -l warn` would set the root
logger to DEBUG for its spinner (12% of a profile), so every level is set here by name. User ids
and item ids have no place in log lines.
"""

from __future__ import annotations

import logging.config
import math
import time
from typing import Any, Final

LINE: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
OURS: Final = ("streams", "models", "export")
LIBRARIES: Final = ("faust", "mode", "aiokafka", "kafka", "aiohttp", "asyncio")
FETCHER: Final = "aiokafka.consumer.fetcher"
PATIENCE_S: Final = 5.0
"""So long a partition may be without a leader that is found, before a line says so."""


class UtcFormatter(logging.Formatter):
    """Times in UTC, so that the lines of several workers can be merged."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Time of the record, to the millisecond."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z"


class MendedByItself(logging.Filter):
    """Leaves out the errors after which aiokafka looks for the leader and asks again.

    A topic that was made just now has no leader for a moment: ten lines at ERROR for nothing. (To
    wait for one first doesn't help: metadata name the leader before that broker knows it.) Where
    such errors go on for longer than :data:`PATIENCE_S`, they are said.
    """

    def __init__(self) -> None:
        super().__init__()
        self._since = self._last = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        """False where an argument of the line is such an error, and they began just now."""
        args = record.args if isinstance(record.args, tuple) else ()
        if not any(getattr(arg, "invalid_metadata", False) for arg in args):
            return True
        if record.created - self._last > PATIENCE_S:
            self._since = record.created
        self._last = record.created
        return record.created - self._since > PATIENCE_S


def logging_config(level: str) -> dict[str, Any]:
    """Configuration for ``logging.config.dictConfig`` and for Faust's ``logging_config``.

    Args:
        level: level of our own lines (``service.log_level``); libraries log warnings only,
            or everything from INFO where it is ``debug``.
    """
    ours = level.upper()
    libraries = "INFO" if ours == "DEBUG" else "WARNING"
    patience: dict[str, Any] = {} if ours == "DEBUG" else {"filters": ["mended"]}
    levels = {**dict.fromkeys(OURS, ours), **dict.fromkeys(LIBRARIES, libraries)}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": UtcFormatter, "fmt": LINE}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "line",
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "filters": {"mended": {"()": MendedByItself}},
        "loggers": {
            **{name: {"level": wanted} for name, wanted in levels.items()},
            FETCHER: patience,
        },
    }


def configure_logging(level: str) -> None:
    """Set up logging of this process; see :func:`logging_config`."""
    logging.config.dictConfig(logging_config(level))
