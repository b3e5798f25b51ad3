"""Who imports whom, read from the sources: for the rooms' diagram and the tests of the layout."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
OURS: Final = ("deploy", "streams", "export", "models")


def module_name(path: Path) -> str:
    """Dotted name of a file below the root; a package's ``__init__.py`` is the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def python_files(folders: tuple[str, ...] = OURS) -> dict[str, Path]:
    """Every module of ours: its dotted name, and its file."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {module_name(path): path for path in files}


def imports_of(
    module: str, source: str, *, is_package: bool = False, for_types: bool = False
) -> Iterator[str]:
    """Dotted names that a module imports, also inside functions.

    Args:
        module: its dotted name.
        source: its text.
        is_package: whether it is a package's ``__init__.py``.
        for_types: also what is imported for type checkers only.
    """
    for node in _nodes(ast.parse(source), for_types=for_types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node, is_package=is_package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _nodes(tree: ast.AST, *, for_types: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not for_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for kept in node.orelse:
                yield kept
                yield from _nodes(kept, for_types=for_types)
            continue
        yield node
        yield from _nodes(node, for_types=for_types)


def _absolute(module: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def import_graph(
    folders: tuple[str, ...] = OURS, *, for_types: bool = False
) -> dict[str, set[str]]:
    """Module of ours -> what it imports: modules of ours by full name, others by their top."""
    files = python_files(folders)
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        package = path.name == "__init__.py"
        names = imports_of(module, path.read_text(), is_package=package, for_types=for_types)
        graph[module] = {_resolve(name, files, folders) for name in names} - {"", module}
    return graph


def _resolve(name: str, files: Mapping[str, Path], folders: tuple[str, ...]) -> str:
    top = name.partition(".")[0]
    if top not in folders:
        return top
    while name and name not in files:  # `from a.b import Thing`: the module is a.b
        name = name.rpartition(".")[0]
    return name
