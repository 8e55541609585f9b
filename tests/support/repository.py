"""The code at hand as a git repository of its own with one commit."""

import shutil
import subprocess
from pathlib import Path

from pipelines.runtime.code_hash import PROJECT, ROOMS

FILES = ("MLproject", "conda.yaml", "requirements.lock", "pyproject.toml")
WHO = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


def committed_copy(folder: Path) -> Path:
    """Copy what a run needs into `folder`, a new repository with branch main; the folder."""
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / room, folder / room, ignore=ignored)
    for name in FILES:
        shutil.copy(PROJECT / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "the code at hand")
    return folder


def commit(folder: Path, why: str) -> None:
    """Commit everything that differs."""
    git(folder, "add", "--all")
    git(folder, *WHO, "commit", "--quiet", "-m", why)


def git(folder: Path, *arguments: str) -> str:
    """What a git command in the folder prints."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
