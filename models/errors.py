"""Errors of the model side (reading data, training, exporting)."""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error that ``models`` and ``export`` raise on purpose."""


class DataError(ModelError):
    """An event file can't be read as the format that it was said to have."""


class ExportError(ModelError):
    """A graph couldn't be exported, or it disagrees with torch beyond the tolerance."""
