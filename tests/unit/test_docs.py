"""README and docs name what exists: links, files, targets, commands, settings, tests, sizes."""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from deploy import rooms
from streams.cli.main import COMMANDS
from streams.settings import parse_settings
from streams.windows.layout import ENTRY, Layout

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
}
# The lab notebook and the changelog tell of trees that had other options and files.
NOW = [page for page in PAGES if not page.startswith("docs/lab/") and page != "CHANGELOG.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
PROGRAM = re.compile(r"^(?:\.venv/bin/)?interest-stream ([a-z-]+)(.*)$", re.MULTILINE)
FOLDERS = "streams|models|export|deploy|tests|examples|docs"
FILE = re.compile(rf"`((?:{FOLDERS})/[\w./-]+)`")
TEST = re.compile(r"`(tests/[\w./-]+\.py)::(\w+)`")


def blocks(page: str, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(PAGES[page]) if name == language]


def code_of(page: str) -> str:
    """Shell blocks and inline code, a line each, comments and continuations taken out."""
    text = PAGES[page]
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = "\n".join([*blocks(page, "sh"), *blocks(page, ""), *inline]).replace("\\\n", " ")
    return re.sub(r"\s+# .*$", "", lines, flags=re.MULTILINE)


@functools.cache
def options_of(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    importlib.import_module(COMMANDS[command].module).add_arguments(parser)
    return {option for action in parser._actions for option in action.option_strings}


def anchors(page: str) -> set[str]:
    """What headings are called in links, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", PAGES[page]), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.replace(" ", "-") for text in kept}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    targets = [t for t in LINK.findall(FENCE.sub("", PAGES[page])) if "://" not in t]
    broken = []
    for target in targets:
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
        name = there.relative_to(ROOT).as_posix()
        if not there.exists() or (anchor and anchor not in anchors(name)):
            broken.append(target)
    assert broken == []


def test_the_readme_begins_with_its_two_commands() -> None:
    first = code_of("README.md").splitlines()[:2]
    assert [line.strip() for line in first] == ["make demo", "make test"]


@pytest.mark.parametrize("page", NOW)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", code_of(page), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", NOW)
def test_commands_and_their_options_exist(page: str) -> None:
    for command, rest in PROGRAM.findall(code_of(page)):
        assert command in COMMANDS, f"interest-stream {command}"
        missing = set(re.findall(r"(?<!\S)--[a-z-]+", rest)) - options_of(command)
        assert missing == set(), f"interest-stream {command}"


@pytest.mark.parametrize("page", PAGES)
def test_code_blocks_parse(page: str) -> None:
    for body in blocks(page, "toml"):
        parse_settings(tomllib.loads(body))
    for body in blocks(page, "python"):
        ast.parse(body)
    for body in blocks(page, "json"):
        assert [json.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize("page", NOW)
def test_files_that_are_named_exist(page: str) -> None:
    named = set(FILE.findall(PAGES[page]))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_where_says_files_and_tests_for_twenty_changes() -> None:
    rows = re.findall(
        r"^\| (?!I want|---)(.+?) \| (.+?) \| (.+?) \|$", PAGES["docs/where.md"], re.M
    )
    assert len(rows) >= 20
    for _, files, tests in rows:
        assert FILE.search(files)
        assert re.search(r"`tests/unit/", tests)


def test_every_page_of_the_lab_is_in_its_index_and_answers_first() -> None:
    index = PAGES["docs/lab/README.md"]
    for page in (page for page in PAGES if page.startswith("docs/lab/") and "README" not in page):
        question, answer = PAGES[page].split("\n\n")[:2]
        assert f"]({Path(page).name}) |" in index
        assert question.startswith("# ")
        assert question.endswith("?")
        assert answer.startswith("**")


def test_the_diagrams_of_the_rooms_are_made_from_the_imports() -> None:
    page = PAGES["docs/architecture.md"]
    assert rooms.render(page) == page, "run `python -m deploy.rooms` and commit the page"


def test_the_tests_behind_the_guarantees_exist() -> None:
    named = TEST.findall(PAGES["docs/guarantees.md"])
    assert len(named) > 20
    for file, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), name


def test_the_stored_value_has_the_size_that_is_documented() -> None:
    text = PAGES["docs/architecture.md"]
    layout = Layout(platforms=3, state_size=192, window=64)
    first = layout.header_bytes + layout.state_bytes + ENTRY.itemsize
    for size in (first, layout.dtype.itemsize, Layout(3, 384, 64).dtype.itemsize):
        assert f"{size:,}" in text
    table = text.split("## The stored value")[1].split("An entry of the ring")[0]
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.M))))
    assert documented == set(layout.dtype.names or ())
