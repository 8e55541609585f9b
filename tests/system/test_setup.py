"""What set-up says before it does anything: nothing of others is changed, and Ctrl-C is a line."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import PROJECT

NOBODY = 65534
UV = """#!/bin/sh
[ "$1" = --version ] || { touch began; exec sleep 60; }
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """The scripts and the lock in a folder that any user may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(PROJECT / "scripts", folder / "scripts")
        for file in ("requirements.lock", "pyproject.toml"):
            shutil.copy(PROJECT / file, folder)
        folder.chmod(0o755)
        yield folder


def setup(project: Path, user: int | None = None) -> subprocess.CompletedProcess[str]:
    command = ["sh", "scripts/setup"]
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, user=user
    )


def test_a_foreign_environment_is_kept_as_it_is(project: Path) -> None:
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    done = setup(project)
    assert done.returncode == 2
    assert f"{project}/.venv is there already, and this set-up did not make it" in done.stderr
    assert sorted(p.name for p in (project / ".venv").iterdir()) == ["bin", "pyvenv.cfg"]


def test_a_link_to_another_copy_s_environment_is_not_installed_into(
    project: Path, home: Path
) -> None:
    (home / "other").mkdir()
    for mark in (".installed", ".fourcycle"):
        (home / "other" / mark).write_text("/elsewhere\n")
    (project / ".venv").symlink_to(home / "other")
    assert setup(project).returncode == 2
    assert (home / "other/.installed").exists()


def test_a_folder_that_can_t_be_written_to_is_one_sentence(project: Path) -> None:
    project.chmod(0o555)
    # Root may write everywhere, whatever a folder's mode says.
    done = setup(project, user=None if os.geteuid() else NOBODY)
    project.chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{project} can't be written to")
    assert len(done.stderr.splitlines()) == 2


def test_ctrl_c_is_one_line_and_ends_what_it_started(project: Path, home: Path) -> None:
    (home / "uv").write_text(UV)
    (home / "uv").chmod(0o755)
    path = f"{home}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["sh", "scripts/setup"],
        cwd=project,
        env=os.environ | {"PATH": path},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Of a test run in the background a child would inherit that it hears no Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not (project / "began").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert said == "Stopped. The same command goes on where this one was.\n"
