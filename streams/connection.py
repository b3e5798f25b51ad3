"""How to reach the brokers: protocol, certificates and credentials, for each client library.

The worker's settings (``[kafka]``) and a subscriber's environment both end here. The standard
library only, so that a subscriber needs no more. A password is never part of a ``repr`` or of a
message.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from streams.errors import SettingsError
from streams.secrets import read_secret

ENV_PREFIX: Final = "INTEREST_STREAM__KAFKA__"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
TRUE: Final = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Connection:
    """What a client has to know of a broker beside its address.

    Attributes:
        security_protocol: one of :data:`PROTOCOLS`.
        ca_file: PEM file of the authorities that signed the brokers' certificates; empty: the
            system's.
        cert_file: PEM file of the client's certificate, where brokers ask for one.
        key_file: PEM file of its key; empty: it is in ``cert_file``.
        key_password: what the key is encrypted with.
        check_hostname: whether a broker's certificate must carry the name it is reached by.
        sasl_mechanism: one of :data:`MECHANISMS`.
        username: the principal.
        password: its password.
        password_file: a file that holds the password, in place of ``password``.
    """

    security_protocol: str = "PLAINTEXT"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    key_password: str = field(default="", repr=False)
    check_hostname: bool = True
    sasl_mechanism: str = MECHANISMS[0]
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """What ``INTEREST_STREAM__KAFKA__...`` says, under the names of the settings.

        Raises:
            SettingsError: it contradicts itself.
        """
        given = {name.upper(): value for name, value in (env or os.environ).items()}
        values: dict[str, Any] = {}
        for name in (f.name for f in fields(cls)):
            text = given.get(f"{ENV_PREFIX}{name.upper()}")
            if text is not None:
                values[name] = text.lower() in TRUE if name == "check_hostname" else text
        made = cls(**values)
        if problems := made.problems():
            raise SettingsError(f"{ENV_PREFIX}*: " + "; ".join(problems))
        return made

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def is_sasl(self) -> bool:
        """Whether the client logs in with a name and a password."""
        return self.security_protocol.startswith("SASL")

    @property
    def description(self) -> str:
        """Protocol and principal, for messages."""
        who = f" as {self.username!r} ({self.sasl_mechanism})" if self.is_sasl else ""
        return f"{self.security_protocol}{who}"

    def problems(self) -> list[str]:
        """What contradicts itself, each with its remedy; looks into no file."""
        checks = (*self._login_problems(), *self._tls_problems())
        return [f"has {problem}" for wrong, problem in checks if wrong]

    def _login_problems(self) -> Iterator[tuple[bool, str]]:
        protocol = f"security_protocol = {self.security_protocol!r}"
        mechanism = f"sasl_mechanism = {self.sasl_mechanism!r}"
        password = bool(self.password or self.password_file)
        known = self.security_protocol in PROTOCOLS
        yield not known, f"{protocol}; use one of {', '.join(PROTOCOLS)}"
        known = self.sasl_mechanism in MECHANISMS
        yield not known, f"{mechanism}; use one of {', '.join(MECHANISMS)}"
        yield self.is_sasl and not self.username, f"{protocol} and no username; set it"
        remedy = f"set {ENV_PREFIX}PASSWORD in the environment, or password_file"
        yield self.is_sasl and not password, f"{protocol} and no password; {remedy}"
        both = bool(self.password and self.password_file)
        yield both, "a password and a password_file; keep one of them"
        unused = bool(self.username or password) and not self.is_sasl
        sends = f"a username or a password, and {protocol}, which sends neither"
        yield unused, f"{sends}; use SASL_SSL"

    def _tls_problems(self) -> Iterator[tuple[bool, str]]:
        files = bool(self.ca_file or self.cert_file or self.key_file)
        unused = f"certificates and security_protocol = {self.security_protocol!r}"
        yield files and not self.is_tls, f"{unused}, which doesn't use them; use SSL or SASL_SSL"
        key = bool(self.key_file) and not self.cert_file
        yield key, f"key_file = {self.key_file!r} and no cert_file; name the certificate too"
        password = bool(self.key_password) and not self.cert_file
        remedy = "name the certificate, or leave it out"
        yield password, f"a key_password and no cert_file; {remedy}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """What a TLS connection trusts and shows; None without TLS.

        Raises:
            SettingsError: a file is missing or isn't what it should be.
        """
        if not self.is_tls:
            return None
        context = _trusting(self.ca_file)
        context.check_hostname = self.check_hostname
        if self.cert_file:
            self._show_certificate(context)
        return context

    def _show_certificate(self, context: ssl.SSLContext) -> None:
        try:
            # Without a function OpenSSL would ask for the password at the terminal.
            context.load_cert_chain(
                self.cert_file, self.key_file or None, password=lambda: self.key_password
            )
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise SettingsError(
                f"kafka.cert_file {self.cert_file!r} and kafka.key_file {self.key_file!r} can't "
                f"be used: {_cause(error)}; give a certificate and its key in PEM, and "
                "kafka.key_password where the key is encrypted"
            ) from error

    def secret(self) -> str:
        """The password, from wherever it is.

        Raises:
            SettingsError: the file can't be read, or is empty.
        """
        if not self.password_file:
            return self.password
        return read_secret(self.password_file, "kafka.password_file")

    def python_options(self) -> dict[str, Any]:
        """Options of aiokafka's and of kafka-python's clients, and so of ``InterestFeed``.

        Both libraries took these names from each other; plaintext is their default.

        Raises:
            SettingsError: a file can't be used.
        """
        options: dict[str, Any] = {}
        if self.is_tls or self.is_sasl:
            options["security_protocol"] = self.security_protocol
        if self.is_tls:
            options["ssl_context"] = self.ssl_context()
        if self.is_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.secret()
        return options

    def librdkafka_options(self) -> dict[str, Any]:
        """Configuration of confluent-kafka's clients.

        Raises:
            SettingsError: a file can't be used.
        """
        self.ssl_context()  # its messages are better than librdkafka's
        options: dict[str, Any] = {"security.protocol": self.security_protocol}
        if self.is_tls:
            options |= {
                "ssl.ca.location": self.ca_file,
                "ssl.certificate.location": self.cert_file,
                "ssl.key.location": self.key_file or self.cert_file,
                "ssl.key.password": self.key_password,
                "ssl.endpoint.identification.algorithm": "https" if self.check_hostname else "none",
            }
        if self.is_sasl:
            options["sasl.mechanisms"] = self.sasl_mechanism
            options["sasl.username"] = self.username
            options["sasl.password"] = self.secret()
        return {name: value for name, value in options.items() if value}


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise SettingsError(
            f"kafka.ca_file {ca_file!r} can't be used: {_cause(error)}; name a PEM file with the "
            "certificates of the authorities that signed the brokers'"
        ) from error


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or repr(error)
