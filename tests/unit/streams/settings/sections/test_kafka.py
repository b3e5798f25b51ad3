"""The section ``[kafka]``: logins, and secrets that stay out of every text."""

from __future__ import annotations

from typing import Any

import pytest

from streams.errors import SettingsError
from streams.settings import load_settings, parse_settings

PASSWORD = "{s3cret"  # begins as JSON does
PLATFORMS = [{"name": "shop"}]
LOGIN = {"security_protocol": "SASL_SSL", "username": "worker"}


def test_the_password_comes_from_the_environment_as_it_is() -> None:
    env = {
        "INTEREST_STREAM__KAFKA__PASSWORD": PASSWORD,
        "INTEREST_STREAM__KAFKA__USERNAME": "worker",
        "INTEREST_STREAM__KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "INTEREST_STREAM__PLATFORMS": '[{"name": "shop"}]',
    }
    settings = load_settings(None, env)
    assert settings.kafka.connection().secret() == PASSWORD
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in str(settings.model_dump())
    assert PASSWORD not in settings.model_dump_json()


@pytest.mark.parametrize(
    "kafka",
    [
        {**LOGIN, "pasword": PASSWORD},
        {**LOGIN, "password": [PASSWORD]},
        {**LOGIN, "sasl": {"password": PASSWORD}},
        {"password": PASSWORD},
        {**LOGIN, "password": PASSWORD, "password_file": "x"},
        {**LOGIN, "password": PASSWORD, "session_timeout_s": 0.1},
    ],
)
def test_no_message_repeats_a_password(kafka: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings({"kafka": kafka, "platforms": PLATFORMS})
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_login_without_a_password_names_where_to_put_it() -> None:
    with pytest.raises(SettingsError, match=r"kafka: has security_protocol.*password_file"):
        parse_settings({"kafka": LOGIN, "platforms": PLATFORMS})
