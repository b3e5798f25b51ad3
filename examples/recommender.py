"""Serve top-k items of one platform over HTTP, from live interest vectors (base install only).

    python examples/recommender.py shop streams/demo/bundle --broker localhost:9092
    curl 'localhost:8080/recommendations/USER?k=5'

People without a vector get a 404: the place for your own fallback (popular items).
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from streams.subscribe.feed import InterestFeed, InterestUpdate, Tombstone
from streams.subscribe.ranking import ItemRanking

parser = argparse.ArgumentParser()
parser.add_argument("target", help="platform whose items are recommended")
parser.add_argument("bundle", help="the bundle folder that the worker uses")
parser.add_argument("--broker", default="localhost:9092")
parser.add_argument("--embedded", action="store_true", help="the broker is the demo's")
parser.add_argument("--port", type=int, default=8080)
args = parser.parse_args()
options: dict[str, Any] = {"api_version": (2, 3)} if args.embedded else {}
items = ItemRanking.load(args.bundle, args.target)
feed = InterestFeed(args.broker, args.target, **options)
latest: dict[str, InterestUpdate] = {}


def follow() -> None:
    """Keep the latest vector of each user."""
    for update in feed:
        if isinstance(update, Tombstone):
            latest.pop(update.id, None)
        elif update.bundle == items.bundle_id:  # another bundle's numbers mean other things
            latest[update.id] = update


class Recommender(BaseHTTPRequestHandler):  # noqa: D101
    def do_GET(self) -> None:  # noqa: D102
        url = urlsplit(self.path)
        update = latest.get(unquote(url.path.removeprefix("/recommendations/")))
        if update is None:
            self.send_error(404, "no interest vector for this user yet")
            return
        best = items.top(update.vector, int(parse_qs(url.query).get("k", ["10"])[0]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps([item._asdict() for item in best]).encode())


threading.Thread(target=follow, daemon=True).start()
feed.wait_until_caught_up()
server = ThreadingHTTPServer(("127.0.0.1", args.port), Recommender)
print(f"{len(latest)} users, http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
