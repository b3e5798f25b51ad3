"""Who may look at people's data over HTTP."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Final

from streams.secrets import read_secret
from streams.settings import Settings

SCHEME: Final = "bearer"
LOCKED: Final = (
    "user look-ups are locked: this worker listens beyond its own machine (http.host) and has no "
    "http.token; set one, or listen on 127.0.0.1"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request isn't answered.

    Attributes:
        status: 401 without the right token, 403 where no token would do.
        error: the reason.
    """

    status: int
    error: str

    @property
    def headers(self) -> dict[str, str]:
        """What belongs to the answer."""
        return {"WWW-Authenticate": 'Bearer realm="interest-stream"'} if self.status == 401 else {}


class Access:
    """Decides on requests for people's data.

    Args:
        host: address that the worker listens on.
        token: what a request must carry; empty: nothing, as long as ``host`` is this machine.
    """

    def __init__(self, host: str, token: str) -> None:
        self._token = token.encode()
        self.locked = not token and not is_local(host)

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """As the settings say.

        Raises:
            SettingsError: the token's file can't be used.
        """
        http = settings.http
        token = http.token.get_secret_value()
        if http.token_file:
            token = read_secret(http.token_file, "http.token_file")
        return cls(http.host, token)

    def refusal(self, authorization: str | None) -> Refusal | None:
        """Why a request with this ``Authorization`` header isn't answered; None: it is."""
        if self.locked:
            return Refusal(403, LOCKED)
        if not self._token:
            return None
        scheme, _, given = (authorization or "").partition(" ")
        # In constant time, and always: how long it takes says nothing about the token.
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        if same and scheme.lower() == SCHEME:
            return None
        return Refusal(401, "send the token of http.token: Authorization: Bearer TOKEN")


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
