"""Ids in texts: keyed, the same within a process, and of no use without the key."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import secrets
from streams.errors import SettingsError
from streams.secrets import hidden, read_secret, use_hash_key


@pytest.fixture(autouse=True)
def _same_key_afterwards() -> Iterator[None]:
    key = secrets._key
    yield
    secrets._key = key


def test_an_id_has_one_name_for_each_key() -> None:
    use_hash_key("one key")
    first = hidden("ann")
    assert re.fullmatch("id:[0-9a-f]{12}", first)
    assert hidden("ann") == hidden(b"ann") == first
    assert hidden("bob") != first
    use_hash_key("")  # none is given: it stays as it is
    assert hidden("ann") == first
    use_hash_key("another key")
    assert hidden("ann") != first
    assert hidden("\udcff")  # text that isn't UTF-8 has one too


def test_without_a_key_another_process_has_other_names() -> None:
    code = "from streams.secrets import hidden; print(hidden('ann'))"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout != runs[1].stdout


def test_a_file_that_can_t_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content, says in ((None, "can't be read"), (b"\n", "is empty"), (b"\xff", "can't be read")):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(SettingsError, match=f"http.token_file .*{says}"):
            read_secret(str(file), "http.token_file")
    file.write_text("a secret with spaces \r\n")
    assert read_secret(str(file), "x") == "a secret with spaces "
