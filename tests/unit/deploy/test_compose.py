"""What can be held of the image and the compose file without a Docker engine."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import deploy
from streams.settings import load_settings

ROOT = Path(deploy.__file__).parents[1]
FOLDER = ROOT / "deploy"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
# Written when the repository's first bundle is made, and by the README's author.
MADE_LATER = {"README.md", "streams/demo/bundle"}


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of each line of the Dockerfile, continuations joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(m[1], m[2].strip()) for m in re.finditer(r"^([A-Z]+) +(.*)$", joined, re.M)]


def arguments(name: str) -> list[str]:
    return [value for instruction, value in instructions() if instruction == name]


def copied() -> list[str]:
    """Paths of the repository that the Dockerfile copies."""
    own = [value.split() for value in arguments("COPY") if not value.startswith("--from")]
    return [path for parts in own for path in parts[:-1]]


def mounted(service: dict[str, Any]) -> list[Path]:
    """Paths of the repository that a service mounts."""
    sources = [volume.split(":")[0] for volume in service.get("volumes", [])]
    return [(FOLDER / source).resolve() for source in sources if source.startswith(".")]


def test_the_four_services_are_there() -> None:
    assert set(COMPOSE["services"]) == {"kafka", "worker", "prometheus", "grafana"}
    for name, service in COMPOSE["services"].items():
        image = service["image"]
        assert "latest" not in image
        assert ":" in image or "build" in service, f"{name} has no version"
    assert COMPOSE["services"]["kafka"]["image"].startswith("apache/kafka:4.")


def test_what_is_mounted_exists() -> None:
    paths = [path for service in COMPOSE["services"].values() for path in mounted(service)]
    assert len(paths) == 6
    for path in paths:
        assert path.exists() or str(path.relative_to(ROOT)) in MADE_LATER, path


def test_named_volumes_are_declared() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith(".") or source in COMPOSE["volumes"]


def test_ports_are_open_to_this_machine_only() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_kafka_tells_each_listener_an_address_of_its_own() -> None:
    environment = COMPOSE["services"]["kafka"]["environment"]
    listeners = dict(item.split("://") for item in environment["KAFKA_LISTENERS"].split(","))
    advertised = dict(
        item.split("://") for item in environment["KAFKA_ADVERTISED_LISTENERS"].split(",")
    )
    protocols = environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
    assert listeners.keys() == {item.split(":")[0] for item in protocols.split(",")}
    assert advertised.keys() == listeners.keys() - {"CONTROLLER"}
    for name, address in advertised.items():
        assert address.split(":")[1] == listeners[name].split(":")[1]
    worker = COMPOSE["services"]["worker"]["environment"]
    assert worker["INTEREST_STREAM__KAFKA__BOOTSTRAP"] == advertised["INSIDE"]


def test_prometheus_scrapes_the_port_that_the_worker_opens() -> None:
    scrape = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())
    found = scrape["scrape_configs"][0]["dns_sd_configs"][0]
    assert found["names"] == ["worker"]
    assert [str(found["port"])] == COMPOSE["services"]["worker"]["expose"] == arguments("EXPOSE")
    assert str(load_settings(str(ROOT / "interest-stream.toml"), {}).http.port) == str(
        found["port"]
    )


def test_grafana_finds_the_data_source_and_the_dashboard() -> None:
    provisioning = FOLDER / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    assert sources["datasources"][0]["url"] == "http://prometheus:9090"
    boards = yaml.safe_load((provisioning / "dashboards" / "interest-stream.yml").read_text())
    path = boards["providers"][0]["options"]["path"]
    grafana = COMPOSE["services"]["grafana"]
    assert f"./grafana/dashboards:{path}:ro" in grafana["volumes"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (FOLDER / "grafana" / "dashboards" / home.name).exists()
    assert str(home.parent) == path


def test_what_the_image_copies_exists_and_passes_the_ignore_file() -> None:
    ignore = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    assert set(copied()) == kept
    for path in copied():
        assert (ROOT / path).exists() or path in MADE_LATER, path
    assert not any(fnmatch.fnmatch("deploy/kafka/server.py", pattern) for pattern in kept)


def test_the_image_holds_every_package_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {
        name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert packages <= set(copied())


@pytest.mark.parametrize("name", ["torch", "transformers", "onnxscript", "scipy"])
def test_no_training_library_comes_into_the_image(name: str) -> None:
    installs = [value for value in arguments("RUN") if "pip install" in value]
    assert len(installs) == 2
    assert "-r requirements/demo.lock" in installs[0]
    assert "--no-deps" in installs[1]
    lock = (ROOT / "requirements" / "demo.lock").read_text()
    assert not re.search(rf"^{name}==", lock, re.M)
    assert re.search(r"^faust-streaming==", lock, re.M)


def test_the_image_runs_as_nobody_special_and_stops_on_sigterm() -> None:
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert "\nUSER 10001\n" in last_stage
    assert last_stage.index("USER") < last_stage.index("ENTRYPOINT")
    assert arguments("STOPSIGNAL") == ["SIGTERM"]
    assert len(arguments("FROM")) == 2
    # In the exec form the worker is process 1 and gets the signal itself.
    assert arguments("ENTRYPOINT")[0].startswith("[")
    assert arguments("CMD")[-1].startswith("[")
    worker = COMPOSE["services"]["worker"]
    settings = load_settings(str(ROOT / "interest-stream.toml"), {})
    assert int(worker["stop_grace_period"].rstrip("s")) > settings.service.stop_timeout_s


def test_the_images_environment_is_settings_that_exist() -> None:
    pairs = re.findall(r"(INTEREST_STREAM__\w+)=(\S+)", DOCKERFILE)
    compose = COMPOSE["services"]["worker"]["environment"]
    settings = load_settings(str(ROOT / "interest-stream.toml"), {**dict(pairs), **compose})
    assert str(settings.service.bundle) == "/bundle"
    assert settings.http.host == "0.0.0.0"
    assert list(settings.kafka.bootstrap) == ["kafka:19092"]
    assert str(settings.service.state_dir).startswith(arguments("VOLUME")[0].strip('[]"'))


def test_the_health_check_asks_what_the_worker_answers() -> None:
    [check] = arguments("HEALTHCHECK")
    assert "127.0.0.1:6066/health/live" in check
