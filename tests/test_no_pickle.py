"""Nothing that is read can run code: no pickle and no eval, in any disguise."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from deploy.imports import python_files

FORBIDDEN = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "compile"}


def problems(source: str) -> Iterator[str]:
    """What in a module could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = {module.partition(".")[0], *(a.name.partition(".")[0] for a in node.names)}
            yield from (f"line {node.lineno}: imports {name}" for name in names & FORBIDDEN)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _call(node: ast.Call) -> Iterator[str]:
    given = {
        word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)
    }
    function = node.func
    if isinstance(function, ast.Name) and function.id in CALLS:
        yield f"line {node.lineno}: calls {function.id}"
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
        return
    call = f"{function.value.id}.{function.attr}"
    if call in ("np.load", "numpy.load") and given.get("allow_pickle") is not False:
        yield f"line {node.lineno}: {call} without allow_pickle=False"
    if call == "torch.load" and given.get("weights_only") is not True:
        yield f"line {node.lineno}: torch.load without weights_only=True"
    if call in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
        yield f"line {node.lineno}: {call}"


def test_nothing_unpickles_or_evaluates() -> None:
    found = {name: list(problems(path.read_text())) for name, path in python_files().items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_check_sees_every_form() -> None:
    source = """
import pickle
import os, marshal as m
from joblib import load
from dill.source import x
np.load(f)
np.load(f, allow_pickle=True)
torch.load(f)
yaml.load(f)
eval("1")
np.load(f, allow_pickle=False)
torch.load(f, weights_only=True)
model.eval()
"""
    assert len(list(problems(source))) == 9
