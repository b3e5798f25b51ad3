"""A real Kafka with TLS, logins and the least rights of each principal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka import KafkaServer, KafkaServerError
from deploy.kafka.secure import Authority, Security
from streams.cli import bundle, check, main
from streams.connection import Connection
from tests.bundles import make_tiny_bundle
from tests.support import require, require_command
from tests.workers import write_settings

SERVICE = "secured"
PASSWORD = "correct horse {battery} staple"
ENV = "INTEREST_STREAM__KAFKA__"
PRINCIPALS = (
    "worker", "redrive", "producer-video", "producer-shop", "producer-news",
    "privacy", "announcer", "recommender-video", "recommender-shop", "recommender-news",
)  # fmt: skip


@dataclass(frozen=True)
class Secured:
    """A secured broker with the ACLs of one service.

    Attributes:
        folder: with the authority's files in ``ca``.
        security: addresses and authority.
        bundle: a bundle for workers.
        sections: settings of a worker there.
    """

    folder: Path
    security: Security
    bundle: Path

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        kafka = {
            "security_protocol": "SASL_SSL",
            "ca_file": str(self.security.authority.ca_file),
            "username": "worker",
        }
        return {"kafka": kafka}

    def connection(self, user: str, password: str = PASSWORD, **changes: Any) -> Connection:
        fields = {
            "security_protocol": "SASL_SSL",
            "ca_file": str(self.security.authority.ca_file),
            "username": user,
            "password": password,
        }
        return Connection(**(fields | changes))

    def options(self, user: str, password: str = PASSWORD, **changes: Any) -> dict[str, Any]:
        """Options of aiokafka's clients for a user."""
        options = self.connection(user, password, **changes).python_options()
        return {"bootstrap_servers": self.security.bootstrap, **options}

    def librdkafka(self, user: str) -> dict[str, Any]:
        """Configuration of confluent-kafka's clients for a user."""
        made = self.connection(user).librdkafka_options()
        return {"bootstrap.servers": self.security.bootstrap, **made}

    def config(self, name: str, **kafka: Any) -> Path:
        """The worker's settings as a file."""
        sections = {"kafka": {**self.sections["kafka"], **kafka}}
        bootstrap = self.security.bootstrap
        return write_settings(
            self.folder / name, self.bundle, bootstrap, SERVICE, port=1, sections=sections
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require_command("openssl", "Debian: apt-get install openssl")
    folder = tmp_path_factory.mktemp("secured")
    security = Security(Authority(folder / "ca"), dict.fromkeys(PRINCIPALS, PASSWORD))
    try:
        server = KafkaServer(**security.options())
        server.start()
    except KafkaServerError as error:
        require("Apache Kafka from its jars", False, str(error))
        raise
    try:
        made = Secured(folder, security, make_tiny_bundle(folder / "bundle"))
        admin = write_settings(folder / "admin", made.bundle, server.bootstrap, SERVICE, port=1)
        assert main.main(["acls", "--config", str(admin), "--apply", *_named()]) == 0
        yield made
    finally:
        server.stop()


def _named() -> list[str]:
    return ["--principal", "worker=User:worker"]


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's password, where it belongs: in the environment."""
    monkeypatch.setenv(f"{ENV}PASSWORD", PASSWORD)
    for command in (check, bundle):
        monkeypatch.setattr(command, "configure_logging", lambda level: None)


def checked(secured: Secured, capsys: pytest.CaptureFixture[str], **kafka: Any) -> tuple[int, str]:
    """Exit code and output of ``interest-stream check``."""
    code = main.main(["check", "--config", str(secured.config("check", **kafka))])
    out, err = capsys.readouterr()
    return code, out + err
