"""The images: linted, made of folders that exist, without an open port or a known password."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from pydantic import SecretStr

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


def merged(text: str) -> str:
    """YAML with `<<`, anchors and defaults of variables written out, which this reading of the
    specification lacks."""
    filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return yaml.safe_dump(yaml.safe_load(filled), sort_keys=False)


@pytest.mark.parametrize("file", sorted(DOCKER.glob("compose*.yaml")), ids=lambda file: file.stem)
def test_compose_follows_the_specification(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    parsed = PyCompose.from_yaml(merged(text))
    assert set(parsed.service_names()) == set(yaml.safe_load(text)["services"])
    assert "name" not in yaml.safe_load(text)  # docker-compose 1.29 refuses it


def test_images_of_others_have_one_tag_each() -> None:
    files = [*DOCKER.glob("compose*.yaml"), *IMAGES, *(DOCKER / "stand_ins").glob("*.Dockerfile")]
    found: dict[str, set[str]] = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        for name, tag in re.findall(r"^(?:FROM| +image:) ([\w/.-]+):(\S+)", text, re.MULTILINE):
            found.setdefault(name, set()).add(tag)
    assert {name: tags for name, tags in found.items() if len(tags) > 1} == {}
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    ours = {name: tags for name, tags in found.items() if name.startswith("fourcycle-")}
    assert ours == {f"fourcycle-{image.stem}": {version} for image in IMAGES}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("restart: unless-stopped", "restart: perhaps"), ("depends_on:", "waits_for:")],
)
def test_the_specification_is_checked_not_skipped(right: str, wrong: str) -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    assert right in text
    with pytest.raises(ValueError, match=wrong.rsplit(": ", maxsplit=1)[-1].strip(":")):
        PyCompose.from_yaml(merged(text.replace(right, wrong)))


def test_compose_names_what_it_declares(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    mounts = [volume.split(":") for s in services for volume in s.get("volumes", [])]
    sources = {mount[0] for mount in mounts if len(mount) > 1}  # else a nameless one: a cache
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
                assert re.match(r"^\$\{[A-Z_]+\?", value), name


# Settings that compose decides itself, since they are about the container and not about the host.
OF_THE_CONTAINER = {
    "tracking_uri": "http://tracking:5000",
    "serve_host": "0.0.0.0",  # of the container's network, which this host can't reach
    "serve_port": 8080,
    "schedule_host": "0.0.0.0",
    "schedule_port": 8081,
}
# Settings that one kind of process alone reads; all others are for both.
JOBS = ("actor", "sign_key", "alert_", "schedule_")
SERVING = ("serve_", "log_", "ship_", "trace_")
BOTH = ("serve_code", "log_secret", "log_spool")
VARIABLES = {"tracking_uri": "MLFLOW_TRACKING_URI", "mlflow_user": "MLFLOW_TRACKING_USERNAME"}
ASK = """
import json
from pydantic import SecretStr
from contract.settings import Settings
plain = lambda value: value.get_secret_value() if isinstance(value, SecretStr) else value
print(json.dumps({name: plain(value) for name, value in Settings()}))
"""

ASK_CHECKED = ASK.replace("Settings()", "read_settings()").replace("import Settings", "import *")


def told(compose: dict[str, Any], service: str, env_file: dict[str, str]) -> dict[str, str]:
    """The environment of a service's process, as compose makes it of the image's and of .env."""
    dockerfile = compose["services"][service]["build"]["dockerfile"]
    lines = (PROJECT / dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
    environment = dict(
        re.findall(r"([A-Z_]+)=(\S+)", "".join(re.findall(r"^ENV .+$", lines, re.M)))
    )
    for name, value in compose["services"][service]["environment"].items():
        if value is None:
            environment |= {name: env_file[name]} if name in env_file else {}
        else:
            environment[name] = re.sub(
                r"\$\{(\w+):-([^}]*)\}", lambda m: env_file.get(m[1]) or m[2], str(value)
            )
    return environment


def other(name: str, default: Any) -> str:
    """A value that a setting takes and that is not its default."""
    kinds = {"log_sync": "os", "log_full": "reject", "serve_follow": "alias"}
    kinds |= {
        "trace_share": "0.5",
        "alert_smtp_tls": "required",
        "alert_webhook_secret": f"whsec_{'A' * 32}",
    }
    if name in kinds:
        return kinds[name]
    if isinstance(default, SecretStr):
        return f"secret of {name}"
    if isinstance(default, bool):
        return str(not default)
    return str(default + 1) if isinstance(default, int | float) else f"/{name}"


@pytest.mark.parametrize(
    ("service", "kind"), [("jobs", JOBS), ("schedule", JOBS), ("serving-1", SERVING)]
)
def test_every_setting_of_env_reaches_the_process_that_reads_it(
    compose: dict[str, Any], service: str, kind: tuple[str, ...], tmp_path: Path
) -> None:
    fields = Settings.model_fields
    given = {name: other(name, info.default) for name, info in fields.items()}
    env_file = {VARIABLES.get(n, f"FOURCYCLE_{n.upper()}"): value for n, value in given.items()}
    process = subprocess.run(
        [sys.executable, "-c", ASK],
        env={"PYTHONPATH": str(PROJECT)} | told(compose, service, env_file),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    seen = json.loads(process.stdout)
    foreign = tuple(set(JOBS + SERVING) - set(kind))
    for name in fields:
        if name in OF_THE_CONTAINER and (name == "tracking_uri" or name.startswith(kind)):
            assert seen[name] == OF_THE_CONTAINER[name]
        elif name in BOTH or not name.startswith(foreign):
            assert str(seen[name]) == given[name], name
        else:
            assert str(seen[name]) != given[name], f"{name} is none of {service}'s business"


@pytest.mark.parametrize("service", ["jobs", "schedule", "serving-1", "serving-2"])
def test_secrets_in_files_reach_the_process_that_needs_them(
    compose: dict[str, Any], service: str, tmp_path: Path
) -> None:
    text = (DOCKER / "compose.secrets.yaml").read_text(encoding="utf-8")
    added = yaml.safe_load(text)["services"]
    assert added.keys() <= compose["services"].keys()
    (mount,) = added[service]["volumes"]
    host, inside, mode = mount.rsplit(":", 2)
    room = "serving" if service.startswith("serving") else "jobs"
    assert (host, mode) == (f"${{SECRETS:-./secrets}}/{room}", "ro")
    assert added[service]["environment"] == {"FOURCYCLE_SECRETS": inside}
    (tmp_path / "FOURCYCLE_LOG_SECRET").write_text("kept\n", encoding="utf-8")
    # Compose sets what .env leaves empty to nothing, which is no value.
    env_file = {"FOURCYCLE_LOG_SECRET": "", "FOURCYCLE_ACTOR": ""}
    process = subprocess.run(
        [sys.executable, "-c", ASK_CHECKED],
        env={"PYTHONPATH": str(PROJECT)}
        | told(compose, service, env_file)
        | {"FOURCYCLE_SECRETS": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["log_secret"] == "kept"
