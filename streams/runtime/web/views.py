"""HTTP on Faust's web server: health, metrics, and one user's view."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Final

from faust.web import Request, Response, View

from streams.errors import DamagedError
from streams.log.keys import local_key, user_key
from streams.log.partition import partition_of
from streams.runtime.sending.publisher import now_ms
from streams.runtime.services.progress import STUCK_S
from streams.runtime.web.user_view import describe_user
from streams.windows.stored_value import decode_pointer

if TYPE_CHECKING:
    from streams.runtime.app import InterestApp

VERSION: Final = metadata.version("interest-stream")
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


def add_views(app: InterestApp) -> None:
    """Add the views to a Faust app."""

    @app.page("/health/live", name="live")
    async def live(self: View, request: Request) -> Response:
        """200 while offsets advance or nothing waits; 503 otherwise, with the reason."""
        return _live(app, self)

    @app.page("/health/ready", name="ready")
    async def ready(self: View, request: Request) -> Response:
        """200 once the state is recovered and events are being read; 503 before."""
        is_ready = app.progress.ready
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
        return _guarded(app, self, request, user_key(user_id))

    @app.page("/users/{platform}/{local_id}", name="local_user")
    async def local_user(self: View, request: Request, platform: str, local_id: str) -> Response:
        """The same of whoever has this local id on a platform."""
        return _guarded(app, self, request, local_key(platform, local_id))


def _live(app: InterestApp, view: View) -> Response:
    stalled, reason = app.progress.stalled_s, None
    if app.failure is not None:  # a failed batch, or the watchdog: it is about to end
        reason = f"the worker ends because of: {app.failure}"
    elif stalled >= STUCK_S:
        reason = f"records wait and no offset advanced for {stalled:.0f} s"
    return view.json({"live": reason is None, "reason": reason}, status=503 if reason else 200)


def _guarded(app: InterestApp, view: View, request: Request, key: str) -> Response:
    refusal = app.access.refusal(request.headers.get("Authorization"))
    if refusal is not None:
        return view.json({"error": refusal.error}, status=refusal.status, headers=refusal.headers)
    try:
        return _user(app, view, key)
    except DamagedError:
        return view.json({"error": "what is stored under this id can't be read"}, status=500)


def _user(app: InterestApp, view: View, key: str) -> Response:
    partition = partition_of(key.encode(), app.settings.events.partitions)
    if not app.progress.ready:
        return view.json({"error": "this worker isn't ready yet; try again"}, status=503)
    if partition not in _own_partitions(app):
        return _elsewhere(app, view, partition)
    row, value = app.updater.slab.find(key), None
    # Memory knows of links that aren't stored yet: by then, the stored value is a former one.
    owner = app.updater.pointers.owner(key)
    if row is None and key not in app.updater.pointers:
        value = app.store().get_many(partition, [key])[0]
        owner = decode_pointer(value) if value else None
    if owner:
        return view.json({"user_id": owner, "see": f"/users/{owner}"}, status=200)
    if row is None:
        if value is None:
            return view.json({"error": "nothing is known of this id"}, status=404)
        row = app.updater.slab.insert(key, partition, value)
    described = describe_user(app.updater, row, app.bundle.contract.actions, now_ms())
    return view.json({"bundle": app.bundle.bundle_id, **described})


def _own_partitions(app: InterestApp) -> set[int]:
    topic = app.settings.events.topic
    return {tp.partition for tp in app.consumer.assignment() if tp.topic == topic}


def _elsewhere(app: InterestApp, view: View, partition: int) -> Response:
    """Say which worker has the partition."""
    changelog = app.users.changelog_topic_name
    owners = app.router.tables_metadata()
    for url, topics in owners.items():
        if partition in topics.get(changelog, ()):
            where = f"partition {partition} is at {url}"
            return view.json({"error": f"another worker has this user: {where}"}, status=421)
    return view.json({"error": f"no worker has partition {partition} now; try again"}, status=503)
