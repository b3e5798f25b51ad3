"""Who may look at people's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.errors import SettingsError
from streams.runtime.web.access import LOCKED, Access
from streams.settings import parse_settings

TOKEN = "0123456789abcdef"


def access(**http: Any) -> Access:
    return Access.of(parse_settings({"platforms": [{"name": "shop"}], "http": http}))


def test_on_this_machine_everybody_may_unless_there_is_a_token() -> None:
    assert access().refusal(None) is None
    assert access(host="::1").refusal(None) is None
    guarded = access(token=TOKEN)
    assert guarded.refusal(f"Bearer {TOKEN}") is None
    assert guarded.refusal(f"bearer  {TOKEN} ") is None
    for wrong in (None, "", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", "Bearer é"):
        refusal = guarded.refusal(wrong)
        assert refusal is not None
        assert refusal.status == 401
        assert "Bearer" in refusal.headers["WWW-Authenticate"]


def test_beyond_this_machine_nobody_may_without_a_token(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "10.0.0.7", "::", "worker-1"):
        locked = access(host=host).refusal(f"Bearer {TOKEN}")
        assert locked is not None
        assert (locked.status, locked.error, locked.headers) == (403, LOCKED, {})
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    by_file = access(host="0.0.0.0", token_file=str(file))
    assert by_file.refusal(f"Bearer {TOKEN}") is None
    assert by_file.refusal(None) is not None


def test_a_token_is_long_and_in_one_place_and_in_no_message() -> None:
    for http in ({"token": "short"}, {"token": TOKEN, "token_file": "x"}):
        with pytest.raises(SettingsError, match="http: has a token") as caught:
            access(**http)
        assert http["token"] not in str(caught.value).replace("has a token", "")
    assert TOKEN not in repr(
        parse_settings({"platforms": [{"name": "a"}], "http": {"token": TOKEN}})
    )
