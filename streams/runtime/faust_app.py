"""The app for Faust's own command: ``faust -A streams.runtime.faust_app worker``.

Settings come from the file that ``INTEREST_STREAM_CONFIG`` names.
"""

from __future__ import annotations

import asyncio

from streams.runtime.app import InterestApp, client_options, create_app
from streams.runtime.checks import check_topics
from streams.runtime.worker import config_path
from streams.settings import load_settings


def _checked_app() -> InterestApp:
    settings = load_settings(config_path(None))
    made = create_app(settings)
    report = asyncio.run(check_topics(settings, client_options(settings)))
    made.know_topics(report)
    return made


app = _checked_app()
