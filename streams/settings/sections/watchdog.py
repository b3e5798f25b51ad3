"""The section about when a worker gives itself up."""

from __future__ import annotations

from pydantic import Field

from streams.settings.base import Section


class Watchdog(Section):
    """After how long without movement a worker ends itself, for an orchestrator to restart it.

    Exit code 4; the log's last lines say what stood still (docs/operations.md).
    """

    onnx_s: float = Field(
        default=30.0,
        ge=1,
        le=86_400,
        description="Seconds that one ONNX Runtime call may take.",
    )
    loop_s: float = Field(
        default=60.0,
        ge=2,
        le=86_400,
        description="Seconds that the event loop may be blocked by anything else.",
    )
    progress_s: float = Field(
        default=120.0,
        ge=2,
        le=86_400,
        description="Seconds that a partition with records waiting may stand still.",
    )
    commit_s: float = Field(
        default=120.0,
        ge=2,
        le=86_400,
        description="Seconds that a partition may be processed further than it is committed, "
        "without a commit that advances.",
    )
    recovery_s: float = Field(
        default=120.0,
        ge=2,
        le=86_400,
        description="Seconds that joining the group or reading states back may take without "
        "anything moving. A recovery of any length that moves is fine.",
    )
