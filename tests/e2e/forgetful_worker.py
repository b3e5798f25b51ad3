"""A worker that commits nothing of one topic (the argument); the rest is the real worker."""

from __future__ import annotations

import sys
from typing import Any

from streams.cli import main as cli
from streams.runtime.transport.consumer import BatchConsumer


def main() -> int:
    """Run the worker."""
    commit = BatchConsumer._commit_offsets

    async def all_but_one(self: Any, offsets: dict[Any, int], *args: Any, **more: Any) -> bool:
        kept = {tp: offset for tp, offset in offsets.items() if tp.topic != sys.argv[1]}
        return not kept or await commit(self, kept, *args, **more)

    BatchConsumer._commit_offsets = all_but_one  # type: ignore[method-assign]
    return cli.main(["worker"])


if __name__ == "__main__":
    sys.exit(main())
