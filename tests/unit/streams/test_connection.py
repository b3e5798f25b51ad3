"""Certificates and credentials: for each library, never in a text, and mistakes named."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from deploy.kafka.secure import Authority
from streams.connection import Connection
from streams.errors import SettingsError
from tests.support import require_command

PASSWORD = "s3cret-phrase"
LOGIN = {"security_protocol": "SASL_SSL", "username": "worker", "password": PASSWORD}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    require_command("openssl", "Debian: apt-get install openssl")
    return Authority(tmp_path / "ca")


def test_plaintext_is_the_default() -> None:
    assert Connection().python_options() == {}
    assert Connection().librdkafka_options() == {"security.protocol": "PLAINTEXT"}
    assert Connection.from_env({"PATH": "/bin"}) == Connection()


def test_a_login_over_tls_for_each_library(authority: Authority) -> None:
    connection = Connection(**LOGIN, ca_file=str(authority.ca_file))  # type: ignore[arg-type]
    options = connection.python_options()
    context = options.pop("ssl_context")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": PASSWORD,
    }
    assert connection.librdkafka_options() == {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(authority.ca_file),
        "ssl.endpoint.identification.algorithm": "https",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": PASSWORD,
    }


def test_a_certificate_of_its_own(authority: Authority) -> None:
    cert, key = map(str, authority.certificate("worker"))
    mine = Connection(
        "SSL", ca_file=str(authority.ca_file), cert_file=cert, key_file=key, check_hostname=False
    )
    context = mine.ssl_context()
    assert context is not None
    assert not context.check_hostname
    made = mine.librdkafka_options()
    assert (made["ssl.certificate.location"], made["ssl.key.location"]) == (cert, key)
    assert made["ssl.endpoint.identification.algorithm"] == "none"


def test_the_password_is_in_no_text() -> None:
    connection = Connection(**LOGIN, key_password="k3y", cert_file="c")  # type: ignore[arg-type]
    for text in (repr(connection), str(connection), connection.description):
        assert PASSWORD not in text
        assert "k3y" not in text


def test_the_environment_has_the_names_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    env = {
        "INTEREST_STREAM__KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "interest_stream__kafka__username": "watcher",
        "INTEREST_STREAM__KAFKA__PASSWORD_FILE": str(file),
        "INTEREST_STREAM__KAFKA__CHECK_HOSTNAME": "no",
        "INTEREST_STREAM__KAFKA__BOOTSTRAP": "a:1",
    }
    read = Connection.from_env(env)
    assert not read.check_hostname
    assert read.python_options() == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "watcher",
        "sasl_plain_password": PASSWORD,
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"security_protocol": "TLS"}, "use one of PLAINTEXT, SSL"),
        ({**LOGIN, "sasl_mechanism": "GSSAPI"}, "use one of SCRAM-SHA-512"),
        ({**LOGIN, "username": ""}, "no username"),
        ({**LOGIN, "password": ""}, "no password; set INTEREST_STREAM__KAFKA__PASSWORD"),
        ({**LOGIN, "password_file": "x"}, "keep one of them"),
        ({"username": "worker"}, "sends neither; use SASL_SSL"),
        ({"security_protocol": "SSL", "password": PASSWORD}, "sends neither"),
        ({"ca_file": "ca.pem"}, "use SSL or SASL_SSL"),
        ({"security_protocol": "SSL", "key_file": "k"}, "no cert_file"),
        ({"security_protocol": "SSL", "key_password": PASSWORD}, "no cert_file"),
    ],
)
def test_contradictions_are_named(given: dict[str, str], says: str) -> None:
    env = {f"INTEREST_STREAM__KAFKA__{name.upper()}": value for name, value in given.items()}
    with pytest.raises(SettingsError) as caught:
        Connection.from_env(env)
    assert says in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_files_that_cant_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    absent, text = str(tmp_path / "absent.pem"), tmp_path / "text.pem"
    text.write_text("no certificate")
    cert, key = map(str, authority.certificate("worker"))
    (tmp_path / "empty").write_text("\n")
    cases = [
        (Connection("SSL", ca_file=absent), "kafka.ca_file"),
        (Connection("SSL", ca_file=str(text)), "kafka.ca_file"),
        (Connection("SSL", cert_file=absent), "kafka.cert_file"),
        (Connection("SSL", cert_file=cert, key_file=str(text)), "kafka.key_file"),
        (Connection("SASL_SSL", username="u", password_file=absent), "kafka.password_file"),
        (
            Connection("SASL_SSL", username="u", password_file=str(tmp_path / "empty")),
            "is empty",
        ),
    ]
    for connection, says in cases:
        with pytest.raises(SettingsError, match=says):
            connection.python_options()
    encrypted = str(tmp_path / "locked.key")
    lock = ["openssl", "pkey", "-in", key, "-aes256", "-passout", f"pass:{PASSWORD}"]
    subprocess.run([*lock, "-out", encrypted], check=True, capture_output=True)
    with pytest.raises(SettingsError, match="key_password"):
        Connection("SSL", cert_file=cert, key_file=encrypted).ssl_context()
    opened = Connection("SSL", cert_file=cert, key_file=encrypted, key_password=PASSWORD)
    assert opened.ssl_context() is not None
