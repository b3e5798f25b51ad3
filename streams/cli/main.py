"""``interest-stream``: one command for everything; each part is imported only when it is used.

A command is a module with ``add_arguments(parser)`` and ``run(args) -> int``.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

from models.errors import ModelError
from streams.errors import InterestStreamError, SettingsError

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
READER_GONE: Final = 141  # 128 + SIGPIPE
OURS: Final = ("streams", "models", "export", "deploy")


class Command(NamedTuple):
    """One command: where it is, what it needs, and what it does in one line."""

    module: str
    extra: str
    help: str


COMMANDS: Final = {
    "demo": Command(
        "streams.cli.demo", "demo", "the whole line on this machine, nothing to set up"
    ),
    "send": Command("streams.cli.send", "demo", "send one event of your own"),
    "worker": Command("streams.cli.worker", "worker", "run the service"),
    "check": Command("streams.cli.check", "worker", "check settings, brokers, topics and bundle"),
    "redrive": Command("streams.cli.redrive", "worker", "send records from the dead letters again"),
    "acls": Command("streams.cli.acls", "worker", "the least rights at the broker, as a script"),
    "erasure": Command("streams.cli.erasure", "worker", "prove that a user was erased"),
    "bundle": Command(
        "streams.cli.bundle", "worker", "announce a bundle to the workers, or go back"
    ),
    "watch": Command("streams.cli.watch", "", "print vectors as they are published"),
    "replay": Command("streams.cli.replay", "demo", "stream a public dataset as live events"),
    "simulate-events": Command("streams.cli.simulate_events", "demo", "write simulated events"),
    "train": Command("models.cli.train", "train", "train a model on a folder of events"),
    "evaluate": Command("models.cli.evaluate", "train", "compare a model with baselines"),
    "study": Command("models.cli.study", "train", "train with several seeds, evaluate, report"),
    "export": Command("models.cli.export", "train", "write a trained model as a bundle"),
}


class CommandModule(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; what goes wrong on purpose is one message and an exit code.

    Returns:
        0, or 2 for wrong arguments and settings, 1 for other errors, 130 after Ctrl-C.
    """
    try:
        return _dispatch(sys.argv[1:] if argv is None else list(argv))
    except SettingsError as error:
        return _fail(str(error), WRONG_USE)
    except (InterestStreamError, ModelError) as error:
        return _fail(str(error), FAILED)
    except KeyboardInterrupt:
        return _fail("stopped", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output is gone; without this Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE


def version() -> str:
    """Version of the installed package."""
    from importlib import metadata  # a third of the time of ``--help``, which doesn't need it

    try:
        return metadata.version("interest-stream")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def _dispatch(argv: list[str]) -> int:
    parser = _main_parser()
    chosen = parser.parse_args(argv[:1])
    command = COMMANDS.get(chosen.command)
    if command is None:
        parser.error(_unknown(chosen.command))
    try:
        return _run(chosen.command, command, argv[1:])
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] in OURS:
            raise
        return _fail(_how_to_install(chosen.command, command, missing), FAILED)


def _run(name: str, command: Command, argv: list[str]) -> int:
    module = cast(CommandModule, importlib.import_module(command.module))
    parser = argparse.ArgumentParser(
        prog=f"interest-stream {name}",
        description=command.help[0].upper() + command.help[1:] + ".",
    )
    module.add_arguments(parser)
    return module.run(parser.parse_args(argv))


def _main_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="interest-stream",
        usage="interest-stream [--help] [--version] COMMAND ...",
        description="Every user's interests, kept up to date across platforms, in real time.",
        epilog=f"commands:\n{listed}\n\ninterest-stream COMMAND --help explains one of them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


class _Version(argparse.Action):
    """Look the version up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"interest-stream {version()}")
        parser.exit()


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"no command {name!r}{guess} (there are: {', '.join(COMMANDS)})"


def _how_to_install(name: str, command: Command, missing: str) -> str:
    wanted = f"interest-stream[{command.extra}]" if command.extra else "interest-stream"
    return f"{name} needs `pip install '{wanted}'` (the module {missing!r} isn't installed)"


def _fail(message: str, code: int) -> int:
    print(f"interest-stream: {message}", file=sys.stderr)
    return code
