"""The logger of services."""

import logging
from typing import Final

SERVICE_LOG: Final = logging.getLogger("mode.service")
"""Logger of everything that mode starts and stops: a line for each says nothing to operators."""
