from __future__ import annotations

from pathlib import Path

import pytest

from deploy.kafka import MissingToolError
from deploy.kafka.jars import default_folder, fetch_jars, find_java, java_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("command failed", 0),
    ],
)
def test_java_version(text: str, version: int) -> None:
    assert java_version(text) == version


def test_no_java_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="install Java 17"):
        find_java()


def test_an_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingToolError, match="is Java 11, Kafka 4 needs 17"):
        find_java()


def test_no_maven_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="install Maven"):
        fetch_jars(tmp_path / "jars")


def test_a_folder_that_exists_is_complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    assert fetch_jars(tmp_path) == tmp_path


def test_another_pom_gets_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = default_folder()
    pom = tmp_path / "pom.xml"
    pom.write_text("<project/>")
    monkeypatch.setattr("deploy.kafka.jars.POM", pom)
    assert default_folder() != before
