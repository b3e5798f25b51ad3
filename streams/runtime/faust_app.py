"""The app for Faust's own command: ``faust -A streams.runtime.faust_app worker``.

Settings come from the file that ``INTEREST_STREAM_CONFIG`` names.
"""

from __future__ import annotations

import asyncio

from streams.errors import InterestStreamError
from streams.runtime.app import InterestApp, create_app
from streams.runtime.checks import check_topics
from streams.runtime.options import client_options
from streams.runtime.worker import announce
from streams.settings import load_settings
from streams.settings.load import config_path
from streams.settings.logs import configure_logging


def _checked_app() -> InterestApp:
    settings = load_settings(config_path(None))
    configure_logging(settings.service.log_level)
    made = create_app(settings)
    report = asyncio.run(check_topics(settings, client_options(settings)))
    announce(made, report)
    made.know_topics(report)
    return made


try:
    app = _checked_app()
except InterestStreamError as error:
    # Faust's command would show where in our code it was found instead of what is wrong.
    raise SystemExit(f"interest-stream: {error}") from error
