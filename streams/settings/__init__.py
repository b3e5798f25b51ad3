"""Settings of the worker: one TOML file, overridden by the environment, frozen after reading.

``docs/configuration.md`` is made from the descriptions in ``sections``.

In: a TOML file and the environment; out: :class:`~streams.settings.root.Settings`.
May import: ``connection``, ``errors``, ``models.contract``.
"""

from streams.settings.load import ENV_PREFIX, load_settings, parse_settings
from streams.settings.root import Settings
from streams.settings.sections.platform import ANY_ACTION, Platform

__all__ = ["ANY_ACTION", "ENV_PREFIX", "Platform", "Settings", "load_settings", "parse_settings"]
