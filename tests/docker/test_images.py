"""The images: linted, made of folders that exist, without an open port or a known password."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from contract.settings import Settings
from pipelines.runtime.code_hash import PROJECT, import_closure

DOCKER = PROJECT / "docker"
IMAGES = sorted(DOCKER.glob("*.Dockerfile"))
ROOMS = {"contract", "monitoring", "pipelines", "serving", "tracking", "use_cases"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def copied(image: Path) -> set[str]:
    """Sources that an image copies from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", image.read_text(encoding="utf-8"), re.MULTILINE)
    return {source for line in lines for source in line.split()[:-1]}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_hadolint_finds_nothing(image: Path) -> None:
    done = subprocess.run(["hadolint", str(image)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_what_an_image_copies_exists_and_reaches_the_builder(image: Path) -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert copied(image)
    assert {source for source in copied(image) if not (PROJECT / source).exists()} == set()
    assert copied(image) - sent == set()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_an_image_runs_without_root_and_a_service_has_a_healthcheck(image: Path) -> None:
    text = image.read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001"]
    assert ("EXPOSE" in text) == ("HEALTHCHECK" in text)


@pytest.mark.parametrize(
    ("image", "module"),
    [("serving", "serving.__main__"), ("jobs", "pipelines.main"), ("jobs", "monitoring.__main__")],
)
def test_an_image_holds_the_rooms_that_its_command_imports(image: str, module: str) -> None:
    needed = {name.split(".")[0] for name in import_closure(module)}
    assert needed <= copied(DOCKER / f"{image}.Dockerfile") & ROOMS


def test_compose_follows_the_specification(compose: dict[str, Any]) -> None:
    parsed = PyCompose.from_yaml((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    assert set(parsed.service_names()) == set(compose["services"])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("restart: unless-stopped", "restart: perhaps"), ("depends_on:", "waits_for:")],
)
def test_the_specification_is_checked_not_skipped(right: str, wrong: str) -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    assert right in text
    with pytest.raises(ValueError, match=wrong.rsplit(": ", maxsplit=1)[-1].strip(":")):
        PyCompose.from_yaml(text.replace(right, wrong))


def test_compose_names_what_it_declares(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    sources = {volume.split(":")[0] for s in services for volume in s.get("volumes", [])}
    files = {source for source in sources if source.startswith("./")}
    assert sources - files == set(compose["volumes"])
    assert [file for file in files if not (DOCKER / file).is_file()] == []
    assert {name for s in services for name in s.get("depends_on", {})} <= set(compose["services"])
    built = {s["build"]["dockerfile"] for s in services if "build" in s}
    assert built == {f"docker/{image.name}" for image in IMAGES}


def test_ports_open_on_this_host_only(compose: dict[str, Any]) -> None:
    ports = [port for s in compose["services"].values() for port in s.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_what_waits_for_health_waits_for_something_that_tells_it(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name in service.get("depends_on", {}):
            awaited = compose["services"][name]
            dockerfile = awaited.get("build", {}).get("dockerfile")
            text = (PROJECT / dockerfile).read_text(encoding="utf-8") if dockerfile else ""
            assert "healthcheck" in awaited or "HEALTHCHECK" in text, name


def test_passwords_have_no_default(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name and value is not None:  # None: given from outside, or absent
                assert re.match(r"^\$\{[A-Z_]+:\?", value), name


def test_the_jobs_get_every_setting_of_alerts(compose: dict[str, Any]) -> None:
    wanted = {f"FOURCYCLE_{n.upper()}" for n in Settings.model_fields if n.startswith("alert_")}
    given = compose["services"]["jobs"]["environment"]
    assert {name: given[name] for name in wanted} == dict.fromkeys(wanted)
