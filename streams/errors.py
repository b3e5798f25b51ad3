"""The exception tree of interest-stream.

    InterestStreamError
    ├── SettingsError        a setting is missing, wrong or contradicts another
    ├── StartupError         a check before the first event failed
    │   ├── BrokerError      the broker can't be reached or refuses something
    │   ├── TopicError       a topic is missing or has the wrong shape
    │   └── ProviderError    an ONNX execution provider was asked for and isn't there
    ├── BundleError          a bundle is damaged or doesn't fit the platforms
    │   └── UnfitBundleError an announced bundle can't take the place of the present one
    ├── RecordError          one record from outside can't be used (becomes a dead letter)
    ├── StateError           stored bytes aren't a user state of a known version
    │   └── DamagedError     they are of this version and contradict themselves
    ├── PublishError         an effect wasn't acknowledged; the batch must be read again
    └── StuckError           something in the worker stood still for too long

Every message says what is wrong, where, with which value, and what would be right.
"""

from __future__ import annotations


class InterestStreamError(Exception):
    """Base of every error that this project raises on purpose."""


class SettingsError(InterestStreamError):
    """A setting is missing, wrong, or contradicts another one."""


class StartupError(InterestStreamError):
    """A check before the first event failed; the worker exits non-zero."""


class BrokerError(StartupError):
    """The broker can't be reached, or it refuses what the worker needs."""


class TopicError(StartupError):
    """A topic is missing, or its partitions or settings don't fit."""


class ProviderError(StartupError):
    """An ONNX execution provider was asked for and doesn't run here."""


class BundleError(InterestStreamError):
    """A bundle is incomplete, damaged, or doesn't fit the configured platforms."""


class UnfitBundleError(BundleError):
    """An announced bundle can't take the place of the present one, which goes on.

    Attributes:
        reason: short machine-readable reason (a metric label).
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class RecordError(InterestStreamError):
    """One record from outside can't be used; it becomes a dead letter.

    Attributes:
        reason: short machine-readable reason (a metric label).
        field: name of the offending field, ``""`` for the record as a whole.
        value: the offending value as text, shortened.
        remedy: what would be right.
    """

    def __init__(self, reason: str, field: str, value: object, remedy: str) -> None:
        self.reason = reason
        self.field = field
        self.value = str(value)[:200]
        self.remedy = remedy
        super().__init__(f"{reason}: field {field!r} has {self.value!r}; {remedy}")


class StateError(InterestStreamError):
    """Stored bytes aren't a user state of a version that this code knows."""


class DamagedError(StateError):
    """Stored bytes are of this version and contradict themselves; one user's affair."""


class PublishError(InterestStreamError):
    """An effect wasn't acknowledged; nothing of its batch is committed."""


class StuckError(InterestStreamError):
    """Something in the worker stood still beyond its limit; it must be started again."""
