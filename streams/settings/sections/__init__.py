"""The sections of the settings, each a frozen model; the descriptions are the documentation.

In: what TOML and environment say; out: values that were checked.
May import: ``settings.base``, ``connection``, ``models.contract``.
"""
