"""Freed memory goes back to the operating system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
FREED = f"""
import os
from pathlib import Path
from streams.runtime.services.memory import give_back, limit_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

limit_arenas()
pieces = [os.urandom(2000) for _ in range(60_000)]
high = resident()
kept, pieces = pieces[::1000], []
give_back()
print((high - resident()) // {MIB})
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="needs glibc")
def test_what_lies_below_something_in_use_is_given_back() -> None:
    out = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    # 120 MB were freed, below 60 pieces that are still in use.
    assert int(out.stdout) > 80
