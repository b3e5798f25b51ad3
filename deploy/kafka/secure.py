"""A Kafka server with TLS, logins and an authorizer, for tests and for trying things out.

    authority = Authority(folder)
    security = Security(authority, users={"worker": "..."})
    with KafkaServer(**security.options()) as kafka:
        ...  # clients: security.bootstrap, authority.ca_file

Its plaintext listener stays, on 127.0.0.1, and is the administrator's: whoever comes through it
may do everything. What others may do, ACLs say.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.kafka.errors import KafkaServerError, MissingToolError
from deploy.kafka.process import free_port
from deploy.kafka.properties import HOST

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256")
DAYS = "2"


class Authority:
    """A certificate authority that lives for two days, made with the command ``openssl``.

    Args:
        folder: where its files go; made if it isn't there.

    Attributes:
        ca_file: its certificate, which clients and brokers trust.

    Raises:
        MissingToolError: there is no ``openssl`` on the path.
        KafkaServerError: it failed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self._key = folder / "ca.key"
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl("-subj", "/CN=test authority", *usage, *_files(self._key, self.ca_file))

    def certificate(self, name: str) -> tuple[Path, Path]:
        """A certificate for ``name`` on this machine, and its key: two PEM files."""
        key, cert = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        signed = ("-CA", str(self.ca_file), "-CAkey", str(self._key), "-subj", f"/CN={name}")
        reached = ("-addext", f"subjectAltName=DNS:localhost,IP:{HOST}")
        leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
        _openssl(*signed, *reached, *leaf, *_files(key, cert))
        return cert, key


def _files(key: Path, cert: Path) -> tuple[str, ...]:
    return ("-keyout", str(key), "-out", str(cert))


def _openssl(*arguments: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        raise MissingToolError("no 'openssl' on the path; Debian: apt-get install openssl")
    command = [openssl, "req", "-x509", "-days", DAYS, *CURVE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KafkaServerError(f"openssl failed (exit {done.returncode}): {done.stderr[-1000:]}")


@dataclass(frozen=True)
class Security:
    """Listeners with TLS: one with logins (SCRAM), one with certificates of the clients.

    Attributes:
        authority: signs the broker's certificate, and whose certificates it trusts.
        users: names and passwords.
        authorize: whether ACLs decide; the plaintext listener may do everything either way.
        port: of the listener with logins.
        tls_port: of the listener with certificates; a client's principal is ``User:`` and the
            common name of its certificate.
    """

    authority: Authority
    users: Mapping[str, str] = field(repr=False)
    authorize: bool = True
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)

    @property
    def bootstrap(self) -> str:
        """Address for clients that log in."""
        return f"{HOST}:{self.port}"

    @property
    def tls_bootstrap(self) -> str:
        """Address for clients with a certificate."""
        return f"{HOST}:{self.tls_port}"

    def options(self) -> dict[str, Any]:
        """Arguments for :class:`deploy.kafka.KafkaServer`."""
        listeners = (f"SASL_SSL://{self.bootstrap}", f"SSL://{self.tls_bootstrap}")
        return {"listeners": listeners, "users": self.users, "properties": self._properties()}

    def _properties(self) -> dict[str, str]:
        module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-512")
        login = {
            f"listener.name.sasl_ssl.{name.lower()}.sasl.jaas.config": module for name in mechanisms
        }
        authorizer = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._keystore()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca_file),
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?)(,.*)?$/$1/,DEFAULT",
            "sasl.enabled.mechanisms": ",".join(mechanisms),
            **login,
            **(authorizer if self.authorize else {}),
        }

    def _keystore(self) -> Path:
        """Key and certificate of the broker in one file, as Kafka wants them."""
        cert, key = self.authority.certificate("broker")
        path = self.authority.folder / "keystore.pem"
        path.write_text(key.read_text() + cert.read_text())
        return path
