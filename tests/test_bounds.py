"""The house stays small in its parts, without circles; packages say what they are; tests mirror."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.imports import OURS, ROOT, import_graph, python_files

FILES_A_FOLDER, LINES_A_FILE, LINES_A_FUNCTION, ARGUMENTS = 15, 300, 40, 8
EVERYTHING = (*OURS, "tests", "examples")
FILES = {path.relative_to(ROOT).as_posix(): path for path in python_files(EVERYTHING).values()}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
PACKAGES = [name for name in FILES if name.endswith("__init__.py") and not name.startswith("tests")]
UNIT = [name for name in FILES if Path(name).match("tests/unit/**/test_*.py")]
# Unit tests that are of more than one module, or of what is no module.
NO_MIRROR = {
    "tests/unit/deploy/test_compose.py": "deploy/compose.yaml and the image",
    "tests/unit/deploy/test_region.py": "docs/scale.md, on the whole line",
    "tests/unit/streams/inference/test_engine_cuda.py": "inference/engine.py on a GPU",
    "tests/unit/streams/intake/test_clocks.py": "all readers, under odd clocks",
    "tests/unit/streams/intake/test_docs.py": "docs/events.md",
    "tests/unit/streams/output/test_moved.py": "the shims of streams/output",
    "tests/unit/test_docs.py": "README and docs",
    "tests/unit/test_seeds.py": "seeds that once broke the simulator",
}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_no_folder_is_a_hall() -> None:
    counts = Counter(str(Path(name).parent) for name in FILES if not name.endswith("__init__.py"))
    assert {folder: n for folder, n in counts.items() if n > FILES_A_FOLDER} == {}


def test_no_file_is_long() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert {name: n for name, n in lines.items() if n > LINES_A_FILE} == {}


def test_no_function_is_long() -> None:
    sizes = {
        f"{name}:{one.name}": (one.end_lineno or one.lineno) - one.lineno + 1
        for name, tree in TREES.items()
        for one in functions(tree)
    }
    assert {name: n for name, n in sizes.items() if n > LINES_A_FUNCTION} == {}


def test_no_constructor_takes_many_arguments() -> None:
    counts = {
        f"{name}:{one.lineno}": len(one.args.args) + len(one.args.kwonlyargs) - 1
        for name, tree in TREES.items()
        for one in functions(tree)
        if one.name == "__init__"
    }
    assert {name: n for name, n in counts.items() if n > ARGUMENTS} == {}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, each circle once: Tarjan's strongly connected components."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for name in graph[module] & graph.keys():
            if name not in order:
                visit(name)
            if name in stack:
                low[module] = min(low[module], low[name])
        if low[module] == order[module]:
            one = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(one) > 1:
                found.append(sorted(one))

    for module in graph:
        if module not in order:
            visit(module)
    return found


def test_no_imports_run_in_a_circle_not_even_for_types() -> None:
    assert circles(import_graph(EVERYTHING, for_types=True)) == []


def test_a_circle_is_seen() -> None:
    graph = {"a": {"b"}, "b": {"c", "numpy"}, "c": {"a"}, "d": {"a"}}
    assert circles(graph) == [["a", "b", "c"]]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_lives_there_what_comes_and_goes_and_what_it_may_import(
    name: str,
) -> None:
    text = ast.get_docstring(TREES[name]) or ""
    assert len(text.splitlines()) >= 3
    for word in ("In:", "ut:", "mport"):
        assert word in text, f"{name} doesn't say {word}"


@pytest.mark.parametrize("name", UNIT)
def test_a_unit_test_lies_where_its_module_does(name: str) -> None:
    path = Path(name).relative_to("tests/unit")
    module = ROOT / path.parent / path.name.removeprefix("test_")
    there = module.exists() or module.with_suffix("").is_dir()
    assert there != (name in NO_MIRROR), f"{module.relative_to(ROOT)} and {name}"
