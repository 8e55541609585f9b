"""The manifests as kustomize renders them, and their containers as this host's processes."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import PROJECT

FOLDER = PROJECT / "docker/kubernetes"
OVERLAYS = ("dev", "prod")
Manifest = dict[str, Any]

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="no kubectl here: scripts/debian installs it"
)


def rendered(overlay: Path) -> list[Manifest]:
    """What an overlay amounts to."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@cache
def shipped(name: str) -> list[Manifest]:
    """A shipped overlay; whoever takes it changes nothing of it."""
    return rendered(FOLDER / "overlays" / name)


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Those of a kind, by name."""
    return {found["metadata"]["name"]: found for found in manifests if found["kind"] == kind}


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The spec of each pod, by the name of what makes it."""
    found = {n: d["spec"]["template"]["spec"] for n, d in of_kind(manifests, "Deployment").items()}
    for name, job in of_kind(manifests, "CronJob").items():
        found[name] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


@dataclass(frozen=True)
class Container:
    """The one container of a pod, with its variables as a node would set them."""

    spec: Manifest
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        """What is started, with `$(NAME)` in place of variables written out."""
        words = [*self.spec["command"], *self.spec.get("args", [])]
        return [re.sub(r"\$\((\w+)\)", lambda m: self.environment[m[1]], word) for word in words]

    def here(self, folder: Path, **given: str) -> "tuple[list[str], dict[str, str]]":
        """Command and environment with the mounted folders below `folder`; `given` wins."""
        places = {mount["mountPath"]: mount["name"] for mount in self.spec["volumeMounts"]}
        for name in places.values():
            (folder / name).mkdir(exist_ok=True)
        mounted = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, places))})(?=/|$|\s)")

        def moved(text: str) -> str:
            return mounted.sub(lambda m: str(folder / places[m[1]]), text)

        environment = {name: moved(value) for name, value in self.environment.items()} | given
        return [moved(word) for word in self.command], environment


def container(manifests: list[Manifest], name: str) -> Container:
    """The container of a pod; later sources of variables win over earlier ones, `env` over all."""
    (spec,) = pods(manifests)[name]["containers"]
    maps = of_kind(manifests, "ConfigMap")
    environment = dict(image_environment(spec["image"]))
    for source in spec["envFrom"]:
        environment |= maps[source["configMapRef"]["name"]]["data"]
    environment |= {entry["name"]: entry["value"] for entry in spec["env"]}
    return Container(spec, environment)


def image_environment(image: str) -> Iterator[tuple[str, str]]:
    """What the image's own file sets."""
    room = image.partition(":")[0].removeprefix("fourcycle-")
    text = (PROJECT / f"docker/{room}.Dockerfile").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^ENV .+$", text.replace("\\\n", " "), re.MULTILINE))
    yield from re.findall(r"([A-Z_]+)=(\S+)", lines)
