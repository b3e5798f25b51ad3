"""The demo as people start it: a process, its output and its exit code."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.topic_bundle import make_topic_bundle

pytestmark = pytest.mark.slow

WORDS = (sys.executable, "-m", "streams.cli", "demo", "--users", "60")
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_topic_bundle(tmp_path_factory.mktemp("topic") / "bundle")


def environment(folder: Path) -> dict[str, str]:
    # The note and the worker's files of this demo, not of one that a person runs meanwhile.
    return {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": os.getcwd()}


def test_it_ends_by_itself_and_says_by_how_much_vectors_follow(
    bundle: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*WORDS, "--seconds", "6", "--bundle", str(bundle)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OK: vectors follow people's interests better than popularity" in done.stdout
    assert "\x1b" not in done.stdout
    assert re.search(r"so \w+ now puts first for \w+-\d+", done.stdout)
    assert " send shop click --user " in done.stdout
    assert not list(tmp_path.rglob("demo.json"))
    assert not list(tmp_path.glob("interest-stream-[a-z0-9_]*/worker.log"))


def test_vectors_that_point_the_wrong_way_fail_it(tmp_path: Path) -> None:
    wrong = make_topic_bundle(tmp_path / "wrong", sign=-1.0)
    done = subprocess.run(
        [*WORDS, "--seconds", "1", "--bundle", str(wrong)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "FAILED: vectors don't follow people's interests better" in done.stdout


def test_ctrl_c_in_a_narrow_terminal_ends_it_cleanly(bundle: Path, tmp_path: Path) -> None:
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
    process = subprocess.Popen(
        # The time limit is for a demo that shows nothing: it would be waited for in vain.
        [*WORDS, "--bundle", str(bundle), "--seconds", "120"],
        env={**environment(tmp_path), "TERM": "xterm", "COLUMNS": "60"},
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    )
    os.close(child)
    shown = b""
    stopped = False
    while chunk := _read(parent):
        shown += chunk
        if not stopped and b"top ten by vector" in shown:
            process.send_signal(signal.SIGINT)
            stopped = True
    os.close(parent)
    assert process.wait(TIMEOUT_S) == 0, shown.decode()
    text = shown.decode()
    assert stopped
    assert "OK: vectors follow" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is visible again"
    frame = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text[: text.index("OK: ")])
    lines = re.split(r"[\r\n]+", frame)
    assert max(len(line) for line in lines if line.startswith(("interest-stream  ", "  top"))) <= 60


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""
