"""Reading settings: file, environment, and mistakes that are all reported at once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.settings import load_settings, parse_settings

MINIMAL = '[[platforms]]\nname = "shop"\n'


def write(folder: Path, text: str) -> str:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_name_is_enough(tmp_path: Path) -> None:
    read = load_settings(write(tmp_path, MINIMAL), env={})
    assert read.kafka.bootstrap == ("localhost:9092",)
    assert read.window.events == 64
    assert read.platform("shop").items == "shop.items"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[window]\nevents = 10\ndays = 3\n[kafka]\nbootstrap = ["a:1"]\n' + MINIMAL
    )
    env = {
        "INTEREST_STREAM__WINDOW__EVENTS": "20",
        "INTEREST_STREAM__KAFKA__BOOTSTRAP": "b:1, c:2",
        "OTHER__WINDOW__EVENTS": "30",
    }
    read = load_settings(path, env)
    assert (read.window.events, read.window.days) == (20, 3.0)
    assert read.kafka.bootstrap == ("b:1", "c:2")


def test_the_environment_alone_can_do() -> None:
    env = {"INTEREST_STREAM__PLATFORMS": '[{"name": "news", "ids": "linked"}]'}
    assert load_settings(None, env).platform("news").links == "news.links"


def test_every_mistake_is_reported_at_once_with_path_value_and_remedy(tmp_path: Path) -> None:
    text = '[kafka]\nbootstrap = ["nowhere"]\ncolour = 3\n[window]\nevents = 252\n[[platforms]]\n'
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text), env={"INTEREST_STREAM__COLOUR": "red"})
    message = str(caught.value)
    assert "5 setting(s)" in message
    assert "kafka.bootstrap: ['nowhere'] has 'nowhere'; write each broker as host:port" in message
    assert "kafka.colour: no such setting (value 3)" in message
    assert "window.events: 252 can't be used; it should be less than or equal to 250" in message
    assert "platforms[0].name: is missing; add it" in message
    assert "colour: no such setting (value 'red')" in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kafka\n", "isn't TOML"),
        ("[window]\nevents = nan\n" + MINIMAL, "window.events: nan"),
        ("[window]\ndays = inf\n" + MINIMAL, "window.days: inf"),
        ("platforms = 3\n", "platforms: 3 can't be used"),
        ("platforms = []\n", "platforms: []"),
        ('kafka = "x"\n' + MINIMAL, "kafka: 'x' can't be used"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=r"settings\.toml") as caught:
        load_settings(write(tmp_path, text), env={})
    assert says in str(caught.value)


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--config"):
        load_settings(str(tmp_path / "absent.toml"), env={})


def test_a_file_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b'[kafka]\nclient_id = "\xff"\n')
    with pytest.raises(SettingsError, match="isn't TOML"):
        load_settings(str(path), env={})


def test_wrong_environment_values_name_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"INTEREST_STREAM__PLATFORMS: .* isn't JSON"):
        load_settings(None, {"INTEREST_STREAM__PLATFORMS": "[{]"})
    with pytest.raises(SettingsError, match="as JSON instead"):
        load_settings(
            None, {"INTEREST_STREAM__PLATFORMS": "[]", "INTEREST_STREAM__PLATFORMS__X": "1"}
        )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_names = st.sampled_from(["service", "kafka", "window", "platforms", "output", "other"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_names, _json, max_size=4))
def test_whatever_is_wrong_is_a_settings_error(raw: dict[str, object]) -> None:
    with contextlib.suppress(SettingsError):
        parse_settings(raw)
