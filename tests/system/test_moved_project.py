"""When make builds the environment: there is none, the lock is newer, or its folder was moved."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import PROJECT


@pytest.fixture
def project(home: Path) -> Path:
    """A folder with the scripts, the Makefile and an environment as uv builds it there."""
    shutil.copytree(PROJECT / "scripts", home / "project/scripts")
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / name, home / "project")
    environment(home / "project/.venv")
    return home / "project"


def environment(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/fourcycle").write_text(f"#!{folder}/bin/python\n# -*- coding: utf-8 -*-\n")
    (folder / ".installed").touch()


def planned(project: Path) -> str:
    """What make would do before a pipeline runs."""
    command = ["make", "--dry-run", "lint"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_fresh_clone_has_one_built(project: Path) -> None:
    shutil.rmtree(project / ".venv")
    assert "scripts/setup" in planned(project)


def test_a_newer_lock_has_it_built_anew(project: Path) -> None:
    os.utime(project / ".venv/.installed", (0, 0))
    assert "scripts/setup" in planned(project)


def test_an_environment_in_its_place_is_kept(project: Path) -> None:
    assert "scripts/setup" not in planned(project)


def test_a_moved_or_copied_one_is_built_anew(project: Path, home: Path) -> None:
    project.rename(home / "moved")
    assert "scripts/setup" in planned(home / "moved")


def test_a_link_to_one_elsewhere_is_kept(project: Path, home: Path) -> None:
    (project / ".venv").rename(home / "away")
    shutil.rmtree(home / "away")
    environment(home / "shared")
    (project / ".venv").symlink_to(home / "shared")
    assert "scripts/setup" not in planned(project)
