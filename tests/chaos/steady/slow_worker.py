"""A worker whose model is slow by a known amount, until a file appears.

    python -m tests.chaos.steady.slow_worker SECONDS FILE

Each event of a user costs ``SECONDS`` more in the model, in the event loop as a large model would;
once ``FILE`` is there, nothing more. The rest is the real worker, with batches that such a model
computes within the watchdog's limit for a call.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from streams.cli import main as cli
from streams.inference.engine import Engine

BATCH_RECORDS: Final = 4_096
"""Half of the default: at 2 ms an event 8 s of the 30 that a call may take."""


def main() -> int:
    """Run the worker."""
    os.environ["INTEREST_STREAM__SERVICE__BATCH_RECORDS"] = str(BATCH_RECORDS)
    seconds, lifted = float(sys.argv[1]), Path(sys.argv[2])
    call, begin = Engine._call, Engine.__init__

    def whole(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        self.halves = None  # every step by the one call that is slow

    def slow(self: Any, run: Any, feeds: dict[str, Any]) -> Any:
        def drag(*arguments: Any) -> Any:
            rows = len(feeds["dt"]) if "dt" in feeds else 0
            if rows and not lifted.exists():
                time.sleep(seconds * rows)  # lets go of Python's lock, as ONNX Runtime does
            return run(*arguments)

        return call(self, drag, feeds)

    Engine.__init__ = whole  # type: ignore[method-assign, assignment]
    Engine._call = slow  # type: ignore[method-assign]
    return cli.main(["worker"])


if __name__ == "__main__":
    sys.exit(main())
