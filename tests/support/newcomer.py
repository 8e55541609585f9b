"""A copy of the project, and commands typed in it as a newcomer would."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.project import PROJECT

ENVIRONMENT = Path(sys.prefix)
# At the top alone: below it, `data` is a room of the code.
LEFT_OUT = (".venv", ".git", ".cache", "data", "mlruns", "mlflow.db*", ".*_cache")


def copied(folder: Path) -> Path:
    """The project without its data in `folder`, with the environment that runs this test."""
    at_the_top, caches = (shutil.ignore_patterns(*names) for names in (LEFT_OUT, ("__pycache__",)))

    def ignored(place: str, names: list[str]) -> set[str]:
        return at_the_top(place, names) if Path(place) == PROJECT else caches(place, names)

    shutil.copytree(PROJECT, folder, ignore=ignored)
    (folder / ".venv").symlink_to(ENVIRONMENT)
    return folder


def start(
    folder: Path, command: str, given: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a command in a shell of its own; `given` are variables beside the environment's."""
    ours = ("MLFLOW_", "PYTEST", "FOURCYCLE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment["PATH"] = f"{ENVIRONMENT / 'bin'}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONPATH", None)
    return subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=environment | dict(given or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
