"""HTTP on Faust's web server: what is answered under which path."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from faust.web import Request, Response, View

from streams.log.keys import local_key, user_key
from streams.runtime.running_app import RunningApp
from streams.runtime.services.progress import STUCK_S, Progress
from streams.runtime.web.access import Access
from streams.runtime.web.users import UserAnswers

VERSION: Final = metadata.version("interest-stream")
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


def add_views(app: RunningApp, progress: Progress, access: Access) -> None:
    """Add the views to a Faust app."""
    users = UserAnswers(app, progress, access)

    @app.page("/health/live", name="live")
    async def live(self: View, request: Request) -> Response:
        """200 while offsets advance or nothing waits; 503 otherwise, with the reason."""
        return _live(app, progress, self)

    @app.page("/health/ready", name="ready")
    async def ready(self: View, request: Request) -> Response:
        """200 once the state is recovered and events are being read; 503 before."""
        is_ready = progress.ready
        body = {
            "ready": is_ready,
            "recovering": bool(app.in_recovery),
            "rebalancing": bool(app.rebalancing),
            "bundle": app.bundle.bundle_id,
            "provider": app.engine.provider,
        }
        return self.json(body, status=200 if is_ready else 503)

    @app.page("/metrics", name="metrics")
    async def metrics(self: View, request: Request) -> Response:
        """Prometheus' text format."""
        return self.bytes(app.metrics.exposition(), headers={"Content-Type": PROMETHEUS})

    @app.page("/users/{user_id}", name="user")
    async def user(self: View, request: Request, user_id: str) -> Response:
        """Window, state age and vectors of a canonical user."""
        return users.answer(self, request, user_key(user_id))

    @app.page("/users/{platform}/{local_id}", name="local_user")
    async def local_user(self: View, request: Request, platform: str, local_id: str) -> Response:
        """The same of whoever has this local id on a platform."""
        return users.answer(self, request, local_key(platform, local_id))


def _live(app: RunningApp, progress: Progress, view: View) -> Response:
    stalled, reason = progress.stalled_s, None
    if app.failure is not None:  # a failed batch, or the watchdog: it is about to end
        reason = f"the worker ends because of: {app.failure}"
    elif stalled >= STUCK_S:
        reason = f"records wait and no offset advanced for {stalled:.0f} s"
    return view.json({"live": reason is None, "reason": reason}, status=503 if reason else 200)
