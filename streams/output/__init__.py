"""The former place of what subscribers import, until version 0.3: now ``streams.subscribe``.

In: imports of before 0.2; out: the same objects, and a DeprecationWarning that names the new place.
May import: ``subscribe``.
"""

import warnings


def warn_moved(name: str) -> None:
    """Warn whoever imports a module of this package."""
    warnings.warn(
        f"streams.output.{name} has moved to streams.subscribe.{name}; the old name goes with "
        "version 0.3",
        DeprecationWarning,
        stacklevel=3,
    )
