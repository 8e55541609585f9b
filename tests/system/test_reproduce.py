"""A version is trained again by its own commit when the code has changed since."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import commit, committed_copy, git
from tests.support.rounds import FULL


@pytest.fixture
def clone(home: Path) -> Path:
    return committed_copy(home / "project")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    binaries = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder.parent}/mlflow.db"
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not FULL, reason="make faults; the README's own command runs in make test")
def test_a_version_is_reproduced_by_its_commit(clone: Path) -> None:
    step = (sys.executable, "-m")
    trained = run(clone, *step, "pipelines.main", "--use-case", "penguins")
    assert trained.returncode == 0, trained.stderr
    changed = clone / "pipelines" / "model" / "preprocess.py"
    changed.write_text(changed.read_text().replace('strategy="median"', 'strategy="mean"'))
    commit(clone, "another way to fill gaps")
    ask = ("-e", "reproduce", "-P", "use_case=penguins", "--env-manager", "local")
    again = run(clone, "mlflow", "run", ".", *ask)
    assert again.returncode == 0, again.stderr
    assert "training by commit" in again.stderr
    assert "bit-identical" in again.stderr
    assert git(clone, "worktree", "list").count("\n") == 1
