"""The command line: help, lazy imports, and one clear message for each kind of failure."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import DataError
from streams.cli import main as cli
from streams.errors import BundleError, SettingsError

ROOT = Path(__file__).resolve().parents[4]
Install = Callable[[Callable[[argparse.Namespace], int]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a command ``toy`` with the given ``run`` in place."""

    def put(run: Callable[[argparse.Namespace], int]) -> None:
        module = types.ModuleType("toy_command")
        module.__dict__["run"] = run
        module.__dict__["add_arguments"] = lambda parser: parser.add_argument("--n", type=int)
        monkeypatch.setitem(sys.modules, "toy_command", module)
        monkeypatch.setitem(cli.COMMANDS, "toy", cli.Command("toy_command", "worker", "play"))

    return put


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def test_a_command_gets_its_arguments_and_gives_the_exit_code(install: Install) -> None:
    install(lambda args: args.n + 1)
    assert cli.main(["toy", "--n", "6"]) == 7


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name, command in cli.COMMANDS.items():
        assert name in shown
        assert command.help in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_module(name: str) -> None:
    """Read, not imported: a command may need an extra that isn't installed here."""
    path = ROOT / f"{cli.COMMANDS[name].module.replace('.', '/')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    shared = (node.names for node in tree.body if isinstance(node, ast.ImportFrom))
    found |= {alias.asname or alias.name for names in shared for alias in names}
    assert {"add_arguments", "run"} <= found


def test_a_commands_own_help(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(lambda _: 0)
    with pytest.raises(SystemExit) as caught:
        cli.main(["toy", "--help"])
    assert caught.value.code == 0
    assert "interest-stream toy" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"interest-stream {cli.version()}\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [([], "COMMAND"), (["wroker"], "did you mean 'worker'?"), (["xyz"], "no command 'xyz'")],
)
def test_wrong_commands(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (SettingsError("window.events: 0"), 2, "interest-stream: window.events: 0\n"),
        (BundleError("step.onnx is damaged"), 1, "interest-stream: step.onnx is damaged\n"),
        (DataError("not JSONL"), 1, "interest-stream: not JSONL\n"),
        (KeyboardInterrupt(), 130, "interest-stream: stopped\n"),
        (
            ModuleNotFoundError("no", name="faust.app"),
            1,
            "interest-stream: toy needs `pip install 'interest-stream[worker]'` "
            "(the module 'faust.app' isn't installed)\n",
        ),
    ],
)
def test_errors_are_one_message(
    install: Install,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    says: str,
) -> None:
    install(raising(error))
    assert cli.main(["toy"]) == code
    assert capsys.readouterr().err == says


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("gone", name="streams.gone"), ValueError("a defect")]
)
def test_defects_of_our_own_keep_their_traceback(install: Install, error: Exception) -> None:
    install(raising(error))
    with pytest.raises(type(error)):
        cli.main(["toy"])


def test_a_reader_that_went_away_is_no_error() -> None:
    code = (
        "import sys, types; from streams.cli import main as cli\n"
        "m = types.ModuleType('toy'); m.add_arguments = lambda p: None\n"
        "m.run = lambda a: [print('x' * 100) for _ in range(100_000)] and 0\n"
        "sys.modules['toy'] = m; cli.COMMANDS['toy'] = cli.Command('toy', '', 'play')\n"
        "sys.exit(cli.main(['toy']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_help_needs_little_of_the_standard_library_and_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "from streams.cli import main as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "others = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "heavy = {'pydantic', 'faust', 'torch', 'numpy', 'msgspec', 'onnxruntime', 'kafka'}\n"
        "slow = {'asyncio', 'dataclasses', 'email', 'inspect', 'json', 'logging', 'socket'}\n"
        "print(*sorted(others & heavy | slow & set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == ""
