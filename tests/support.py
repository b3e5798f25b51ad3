"""What tests of every kind share, beside the fixtures in conftest.py."""

from __future__ import annotations

import os
import shutil
from typing import Final, NoReturn

import pytest

IN_CI: Final = os.environ.get("CI", "").lower() in {"1", "true"}


def require(what: str, present: object, remedy: str) -> None:
    """Skip the test if a prerequisite is missing; fail it where CI=true.

    A skip on a laptop is a kindness; in CI it would be a hole that nobody sees. The one exception
    is a GPU, see ``skip_without_gpu``.

    Args:
        what: the prerequisite, as the reason names it.
        present: truthy if it is there.
        remedy: what makes it present.
    """
    if present:
        return
    reason = f"needs {what}: {remedy}"
    if IN_CI:
        pytest.fail(f"{reason} (CI=true, so this isn't skipped)", pytrace=False)
    pytest.skip(reason)


def skip_without_gpu(found: str) -> NoReturn:
    """Skip a test that needs an NVIDIA GPU, where CI=true too.

    No test's promise rests on a GPU: what is promised is shown on the CPU, and machines without
    one are the rule. So this is no hole, but the reason is always told.

    Args:
        found: what is here instead.
    """
    pytest.skip(f"needs an NVIDIA GPU that onnxruntime can use: {found}")


def require_command(name: str, remedy: str) -> str:
    """Path of a program; without it the test skips, or fails in CI."""
    path = shutil.which(name)
    require(f"the program '{name}'", path, remedy)
    assert path is not None
    return path
