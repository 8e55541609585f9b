"""A version is trained again by its own commit when the code has changed since."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
ROOMS = ("contract", "pipelines", "serving", "monitoring", "use_cases")
FILES = ("MLproject", "conda.yaml", "requirements.lock", "pyproject.toml")


@pytest.fixture
def clone(home: Path) -> Path:
    """The code at hand as a repository of its own with one commit."""
    folder = home / "project"
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / room, folder / room, ignore=ignored)
    for name in FILES:
        shutil.copy(PROJECT / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__/\n")
    run(folder, "git", "init", "--quiet")
    commit(folder, "the code at hand")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    binaries = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder.parent}/mlflow.db"
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def commit(folder: Path, why: str) -> None:
    run(folder, "git", "add", "--all")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    assert run(folder, "git", *who, "commit", "--quiet", "-m", why).returncode == 0


def test_a_version_is_reproduced_by_its_commit(clone: Path) -> None:
    step = (sys.executable, "-m")
    trained = run(clone, *step, "pipelines.main", "--use-case", "penguins")
    assert trained.returncode == 0, trained.stderr
    changed = clone / "pipelines" / "preprocess.py"
    changed.write_text(changed.read_text().replace('strategy="median"', 'strategy="mean"'))
    commit(clone, "another way to fill gaps")
    again = run(clone, *step, "pipelines.reproduce", "--use-case", "penguins")
    assert again.returncode == 0, again.stderr
    assert "training by commit" in again.stderr
    assert "bit-identical" in again.stderr
    assert run(clone, "git", "worktree", "list").stdout.count("\n") == 1
