"""The jars of a Kafka server, fetched once with Maven, and the Java that runs them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.kafka.errors import KafkaServerError, MissingToolError

POM = Path(__file__).with_name("pom.xml")
ROOT = Path(__file__).resolve().parents[2]
# Kafka 4's server classes are compiled for Java 17.
JAVA_VERSION = 17
# 43 MB in 46 files took 8 s here; twenty minutes is a slow line, longer is a hang.
FETCH_TIMEOUT_S = 1200

_JAVA_REMEDY = (
    f"install Java {JAVA_VERSION} or later (Debian: apt-get install default-jre-headless)"
)


def find_java() -> str:
    """Path of a ``java`` that can run Kafka 4: from ``JAVA_HOME``, else from the path.

    Raises:
        MissingToolError: there is none, or it is older than Java 17.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin"))) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise MissingToolError(f"no 'java' in JAVA_HOME or on the path; {_JAVA_REMEDY}")
    version = java_version(_version_text(java))
    if version < JAVA_VERSION:
        raise MissingToolError(f"{java} is Java {version}, Kafka 4 needs 17; {_JAVA_REMEDY}")
    return java


def _version_text(java: str) -> str:
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    return done.stderr + done.stdout


def java_version(text: str) -> int:
    """Major version in the output of ``java -version``; 0 if there is none.

    >>> java_version('openjdk version "17.0.15" 2025-04-15')
    17
    >>> java_version('java version "1.8.0_402"')
    8
    """
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else 0


def default_folder() -> Path:
    """Where the jars of this pom.xml belong; another pom.xml gets another folder."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return ROOT / "build" / "kafka" / f"jars-{digest}"


def fetch_jars(folder: Path | None = None) -> Path:
    """The folder with the server's jars, filled by Maven if it isn't there yet.

    A folder that exists is complete: it gets its name only after the download.

    Raises:
        MissingToolError: Maven is needed and isn't there.
        KafkaServerError: Maven failed; the message ends with its last lines.
    """
    folder = folder or default_folder()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fetched = Path(scratch, "jars")
            _run_maven(fetched)
            _move(fetched, folder)
    return folder


def _run_maven(into: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingToolError(
            "no 'mvn' on the path, and the jars of Kafka aren't here yet; "
            "install Maven (Debian: apt-get install maven)"
        )
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={into}", "-DincludeScope=runtime"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_S
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise KafkaServerError(
            f"Maven couldn't fetch the jars of {POM} (exit {done.returncode}); "
            f"is a Maven repository reachable?\n{tail}"
        )


def _move(fetched: Path, folder: Path) -> None:
    try:
        fetched.rename(folder)
    except OSError:
        # Another process was faster; its folder is as good as ours.
        if not folder.is_dir():
            raise
