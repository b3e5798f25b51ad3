"""Answers to questions about one user, wherever the user is."""

from __future__ import annotations

from faust.web import Request, Response, View

from streams.errors import DamagedError
from streams.log.partition import partition_of
from streams.runtime.running_app import RunningApp
from streams.runtime.sending.publisher import now_ms
from streams.runtime.services.progress import Progress
from streams.runtime.web.access import Access
from streams.runtime.web.user_view import describe_user
from streams.windows.stored_value import decode_pointer


class UserAnswers:
    """Looks a user up, or says who has the user.

    Args:
        app: the worker.
        progress: knows whether the worker is ready.
        access: decides who may ask.
    """

    def __init__(self, app: RunningApp, progress: Progress, access: Access) -> None:
        self._app = app
        self._progress = progress
        self._access = access

    def answer(self, view: View, request: Request, key: str) -> Response:
        """What is known under a key of the log, to whoever may know it."""
        refusal = self._access.refusal(request.headers.get("Authorization"))
        if refusal is not None:
            error = {"error": refusal.error}
            return view.json(error, status=refusal.status, headers=refusal.headers)
        try:
            return self._found(view, key)
        except DamagedError:
            return view.json({"error": "what is stored under this id can't be read"}, status=500)

    def _found(self, view: View, key: str) -> Response:
        app, updater = self._app, self._app.updater
        partition = partition_of(key.encode(), app.settings.events.partitions)
        if not self._progress.ready:
            return view.json({"error": "this worker isn't ready yet; try again"}, status=503)
        if partition not in app.own_partitions():
            return self._elsewhere(view, partition)
        row, value = updater.slab.find(key), None
        # Memory knows of links that aren't stored yet: by then, the stored value is a former one.
        owner = updater.pointers.owner(key)
        if row is None and key not in updater.pointers:
            value = app.store().get_many(partition, [key])[0]
            owner = decode_pointer(value) if value else None
        if owner:
            return view.json({"user_id": owner, "see": f"/users/{owner}"}, status=200)
        if row is None:
            if value is None:
                return view.json({"error": "nothing is known of this id"}, status=404)
            row = updater.slab.insert(key, partition, value)
        described = describe_user(updater, row, app.bundle.contract.actions, now_ms())
        return view.json({"bundle": app.bundle.bundle_id, **described})

    def _elsewhere(self, view: View, partition: int) -> Response:
        """Say which worker has the partition."""
        changelog = self._app.users.changelog_topic_name
        for url, topics in self._app.router.tables_metadata().items():
            if partition in topics.get(changelog, ()):
                where = f"partition {partition} is at {url}"
                return view.json({"error": f"another worker has this user: {where}"}, status=421)
        error = f"no worker has partition {partition} now; try again"
        return view.json({"error": error}, status=503)
