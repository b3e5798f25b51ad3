"""The order of the layout: imports only go down, and the live service never meets torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from deploy.imports import OURS, ROOT, import_graph, imports_of

# From the top down. Those on one level don't import each other. A package `streams` itself (its
# version) may be imported by everybody above `export`, so it stands at the level of its errors.
LEVELS = (
    ("deploy",),
    ("streams.cli",),
    ("streams.admin", "streams.demo"),
    ("streams.runtime",),
    ("streams.intake", "streams.metrics", "streams.quality"),
    ("streams.update",),
    ("streams.publish",),
    ("streams.output",),
    ("streams.identity", "streams.subscribe"),
    ("streams.inference",),
    ("streams.windows",),
    ("streams.bundles",),
    ("streams.effects",),
    ("streams.log",),
    ("streams.settings",),
    ("streams.connection",),
    ("streams.secrets",),
    ("streams.errors", "streams"),
    ("models.cli",),
    ("models.studies",),
    ("export",),
    ("models.report",),
    ("models.evaluation",),
    ("models.baselines",),
    ("models.growth",),
    ("models.training",),
    ("models.objectives",),
    ("models.recurrence",),
    ("models.items",),
    ("models.metrics",),
    ("models.protocols",),
    ("models.data",),
    ("models",),
)
HEAVY = frozenset({"torch", "transformers", "sentence_transformers", "onnxscript"})
# Subscribers have the base install only.
SUBSCRIBER = ("streams.subscribe.feed", "streams.subscribe.ranking", "streams.subscribe.schema")
BASE = frozenset({"kafka", "msgspec", "numpy"}) | frozenset(sys.stdlib_module_names)


def level(module: str) -> tuple[int, str]:
    """Position in LEVELS, and which entry of it the module belongs to."""
    entries = [(number, entry) for number, row in enumerate(LEVELS) for entry in row]
    fits = [(number, entry) for number, entry in entries if _within(module, entry)]
    return max(fits, key=lambda fit: len(fit[1]))


def _within(module: str, entry: str) -> bool:
    return module == entry or (entry != "streams" and module.startswith(f"{entry}."))


def goes_down(importer: str, imported: str) -> bool:
    above, above_entry = level(importer)
    below, below_entry = level(imported)
    return below > above or below_entry == above_entry


def reach(graph: Mapping[str, set[str]], start: str) -> dict[str, list[str]]:
    """Everything that importing ``start`` can import, each with the way to it.

    Importing a.b.c also runs a and a.b.
    """
    ways = {start: [start]}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        parents = {module.rsplit(".", cut)[0] for cut in range(1, module.count(".") + 1)}
        for name in graph.get(module, set()) | (parents & graph.keys()):
            if name not in ways:
                ways[name] = [*ways[module], name]
                waiting.append(name)
    return ways


GRAPH = import_graph()


def test_every_module_has_its_level() -> None:
    homeless = [module for module in GRAPH if not _has_level(module)]
    assert not homeless, f"not in LEVELS: {homeless}"


def _has_level(module: str) -> bool:
    return any(_within(module, entry) for row in LEVELS for entry in row)


def test_imports_only_go_down() -> None:
    wrong = [
        f"{importer} imports {imported}"
        for importer, names in GRAPH.items()
        for imported in names
        if imported.partition(".")[0] in OURS and not goes_down(importer, imported)
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_the_live_service_never_reaches_torch() -> None:
    ways = (reach(GRAPH, module) for module in GRAPH if module.startswith("streams"))
    wrong = {" -> ".join(found[name]) for found in ways for name in HEAVY & found.keys()}
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.parametrize("module", SUBSCRIBER)
def test_a_subscriber_needs_the_base_install_only(module: str) -> None:
    assert module in GRAPH, f"{module} is gone; subscribers import it"
    others = {name for name in reach(GRAPH, module) if name.partition(".")[0] not in OURS}
    assert others <= BASE, f"{module} imports {sorted(others - BASE)}"


@pytest.mark.parametrize("module", SUBSCRIBER)
def test_a_subscriber_loads_nothing_heavy(module: str) -> None:
    heavy = ("faust", "mode", "aiokafka", "onnxruntime", "pydantic", *sorted(HEAVY))
    code = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_reader_of_imports_sees_every_form() -> None:
    source = """
import a.b
from c import d
from . import near
from ..far import thing
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import only_types
else:
    import at_runtime
def f():
    import inside
"""
    found = set(imports_of("p.q.m", source))
    assert {"a.b", "c", "c.d", "p.q", "p.q.near", "p.far", "p.far.thing"} <= found
    assert {"at_runtime", "inside"} <= found
    assert "only_types" not in found
    assert "p.q.near" in set(imports_of("p.q", "from . import near", is_package=True))


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("streams.runtime.worker", "streams.inference.engine", True),
        ("streams.inference.engine", "streams.bundles.bundle", True),
        ("streams.inference.engine", "streams.subscribe.schema", False),
        ("streams.intake.readers.events", "streams.metrics.metrics", False),
        ("models.recurrence.cell", "streams.errors", False),
        ("streams.settings", "models.contract", True),
        ("streams.runtime.worker", "streams", True),
        ("streams.errors", "streams.settings", False),
    ],
)
def test_the_rule_itself(importer: str, imported: str, allowed: bool) -> None:
    assert goes_down(importer, imported) is allowed
