"""Settings of the worker: one TOML file, overridden by the environment, frozen after reading.

``docs/configuration.md`` is made from the descriptions in this package.
"""

from streams.settings.load import ENV_PREFIX, load_settings, parse_settings
from streams.settings.platform import ANY_ACTION, Platform
from streams.settings.root import Settings

__all__ = ["ANY_ACTION", "ENV_PREFIX", "Platform", "Settings", "load_settings", "parse_settings"]
