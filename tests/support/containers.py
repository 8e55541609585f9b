"""The containers of docker/compose*.yaml, brought up under a name and on ports of their own."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow, token_urlsafe
from typing import Any

from pipelines.replaying.service_process import free_port
from tests.support.project import PROJECT
from tests.support.tracking import AUTH, PASSWORD

PATIENCE_S = 900  # a quiet machine needs one minute for the slowest, all of them at once
DOCKER = PROJECT / "docker"
WHOLE = tuple(DOCKER / f"compose{part}.yaml" for part in ("", ".secrets", ".team", ".watch"))
USERS = ("jobs", "serving")  # of MLflow's server, named like the folders of their secrets


def docker(*arguments: str, check: bool = True) -> str:
    """What the engine's client prints."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows of a container or an image."""
    found: dict[str, Any] = json.loads(docker("inspect", name))[0]
    return found


def compose_command() -> list[str]:
    """Compose as a plug-in of the engine's client, else as a program of its own."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


@dataclass(frozen=True)
class Containers:
    """Containers of one project of compose."""

    project: str
    environment: Path
    ports: dict[str, int]  # by the variable that names it

    def address(self, service: str) -> str:
        """Where a service answers on this host."""
        return f"http://127.0.0.1:{self.ports[f'{service.upper()}_PORT']}"

    def compose(self, *arguments: str, **settings: str) -> str:
        """What a command of compose prints; it fails as it does. Settings win over .env."""
        files = [part for file in WHOLE for part in ("-f", str(file))]
        command = [*compose_command(), "--env-file", str(self.environment), *files, *arguments]
        ours = ("FOURCYCLE_", "MLFLOW_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)} | settings
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=clean | settings,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, service: str, *command: str, options: Sequence[str] = ()) -> str:
        """What a container of its own prints, which ends with the command."""
        return self.compose("run", "--rm", "-T", "--no-deps", *options, service, *command)

    def of(self, *services: str) -> list[str]:
        """Names of the services' containers, whether they run or not."""
        found = []
        for service in services:
            labels = {"project": self.project, "service": service, "oneoff": "False"}
            filters = [f"--filter=label=com.docker.compose.{k}={v}" for k, v in labels.items()]
            found += docker("ps", "--all", "--format={{.Names}}", *filters).split()
        return found

    def await_health(self, *services: str) -> None:
        """Wait until all containers of the services say that they are well."""
        for name in self.of(*services):
            until_healthy(name)


def health(name: str) -> str:
    """What a container says of itself, as the engine asks it."""
    return docker("inspect", "--format={{.State.Health.Status}}", name)


def until_healthy(name: str) -> None:
    """Wait until a container says that it is well."""
    until(lambda: health(name) == "healthy", name)


def until(holds: Callable[[], bool], what: str) -> float:
    """Wait until something holds; seconds that it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > PATIENCE_S:
            raise AssertionError(
                f"{what} after {PATIENCE_S} s: {docker('logs', what, check=False)}"
            )
        time.sleep(0.5)
    return time.monotonic() - began


@contextmanager
def containers(folder: Path, use_case: str) -> Iterator[Containers]:
    """A project whose secrets and settings are in the folder; nothing of it is left afterwards."""
    names = ("FRONT_PORT", "TRACKING_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
    ports = {name: free_port() for name in names}
    project = f"fourcycle-{folder.name}".lower()
    own = {
        "USE_CASE": use_case,
        "COMPOSE_PROJECT_NAME": project,
        "SECRETS": str(folder / "secrets"),
    }
    own["NETWORK"] = f"10.213.{randbelow(256)}"
    own |= {name: str(port) for name, port in ports.items()} | {"GRAFANA_PASSWORD": "grafana"}
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    for name, value in own.items():
        example, found = re.subn(rf"^{name}=.*$", f"{name}={value}", example, flags=re.MULTILINE)
        assert found == 1, name
    (folder / "env").write_text(example, encoding="utf-8")
    write_secrets(folder / "secrets")
    up = Containers(project, folder / "env", ports)
    try:
        yield up
    finally:
        up.compose("down", "--volumes", "--remove-orphans")
        shutil.rmtree(folder / "secrets")


def write_secrets(folder: Path) -> None:
    """The folders of docs/compose.md, each file of which its containers' users may read."""
    database, store = token_urlsafe(), {"AWS_ACCESS_KEY_ID": "key"}
    store["AWS_SECRET_ACCESS_KEY"] = token_urlsafe()
    users = {name: PASSWORD.format(name) for name in USERS}
    auth = AUTH.format(
        database="postgresql://fourcycle@postgres:5432/users", password=PASSWORD.format("admin")
    )
    server = {"PGPASSWORD": database, "MLFLOW_FLASK_SERVER_SECRET_KEY": token_urlsafe()}
    contents = {
        "postgres": {"POSTGRES_PASSWORD": database},
        "s3": store,
        "tracking": store | server | {"auth.ini": auth},
    }
    for name, password in users.items():
        who = {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
        contents[name] = store | who
    for service, files in contents.items():
        (folder / service).mkdir(parents=True)
        for name, text in files.items():
            (folder / service / name).write_text(text, encoding="utf-8")
