"""The note that a running demo leaves, so that a second terminal finds it.

It lies in a folder of the user's own under the temporary directory and says where the broker
is and what the simulated time is.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from streams.errors import InterestStreamError


class NoDemoError(InterestStreamError):
    """No demo is running that a command could talk to."""


@dataclass(frozen=True, slots=True)
class SimClock:
    """Simulated time as a function of the wall clock.

    Attributes:
        start_ms: simulated time at ``wall_ms``, ms since 1970 UTC.
        wall_ms: wall-clock time at which the clock starts.
        pace: simulated seconds for each second.
    """

    start_ms: int
    wall_ms: int
    pace: float

    def at(self, wall_ms: int) -> int:
        """Simulated time at a wall-clock time; never ahead of it."""
        return min(wall_ms, self.start_ms + int((wall_ms - self.wall_ms) * self.pace))

    def wall_at(self, sim_ms: int) -> int:
        """Wall-clock time at which a simulated time comes."""
        return max(sim_ms, self.wall_ms + int((sim_ms - self.start_ms) / self.pace))


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """What the note says.

    Attributes:
        pid: process of the demo.
        bootstrap: its broker.
        http: base URL of its worker.
        clock: its simulated time.
        topics: platform to the topic of its events.
    """

    pid: int
    bootstrap: str
    http: str
    clock: SimClock
    topics: dict[str, str]


def default_folder() -> Path:
    """The user's own folder for the note."""
    return Path(tempfile.gettempdir()) / f"interest-stream-{os.getuid()}"


def leave_note(demo: RunningDemo, folder: Path | None = None) -> Path:
    """Write the note; a later demo replaces an earlier one's."""
    folder = folder or default_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(folder)
    path = folder / "demo.json"
    draft = folder / f"demo.json.{demo.pid}"
    draft.write_text(json.dumps(asdict(demo)), encoding="utf-8")
    draft.replace(path)
    return path


def remove_note(demo: RunningDemo, folder: Path | None = None) -> None:
    """Remove the note, unless another demo has replaced it."""
    try:
        if find_demo(folder) == demo:
            ((folder or default_folder()) / "demo.json").unlink(missing_ok=True)
    except NoDemoError:
        pass


def find_demo(folder: Path | None = None) -> RunningDemo:
    """The demo that runs.

    Raises:
        NoDemoError: none does.
    """
    folder = folder or default_folder()
    path = folder / "demo.json"
    remedy = "start one with `make demo` in another terminal, or name a broker with --broker"
    try:
        _check_owner(folder)
        raw = json.loads(path.read_text(encoding="utf-8"))
        demo = RunningDemo(**{**raw, "clock": SimClock(**raw["clock"])})
    except FileNotFoundError:
        raise NoDemoError(f"no demo is running (there is no {path}); {remedy}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise NoDemoError(f"{path} can't be read as a demo's note ({error}); {remedy}") from error
    if not _alive(demo.pid):
        raise NoDemoError(f"the demo of {path} (process {demo.pid}) has ended; {remedy}")
    return demo


def _check_owner(folder: Path) -> None:
    # Anybody may write to the temporary directory; a note of somebody else isn't believed.
    if folder.stat().st_uid != os.getuid():
        raise NoDemoError(f"{folder} belongs to another user; remove it, or set TMPDIR")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
