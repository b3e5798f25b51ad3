"""A view that answers with what it was given."""

from __future__ import annotations

from typing import Any


class FakeView:
    """A view that answers with what it was given."""

    def json(self, body: Any, status: int = 200) -> tuple[int, Any]:
        return status, body
