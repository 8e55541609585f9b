"""The commands of docs/beyond.md that need no second machine, typed where Ray is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.main import Outcome
from pipelines.scoring.engines.ray import INSTALL
from tests.conftest import copy_world
from tests.support.cluster import PLAIN, path_of_packages
from tests.support.documents import python_block, shell_blocks
from tests.support.project import PROJECT
from tests.system.test_docs import ENGINES, SCALE

pytest.importorskip("ray", reason="Ray is installed apart: make scale")
# With packages of Ray beside it Great Expectations finds more that it could use.
pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning")
COMMANDS = [
    command
    for block in shell_blocks()
    if block.document in SCALE and block.key not in ENGINES
    for command in block.commands
]


def test_the_page_installs_what_the_engine_asks_for() -> None:
    assert INSTALL in COMMANDS
    command = f"{INSTALL.replace('install', 'install --dry-run', 1)} --python {sys.executable}"
    typed(f". scripts/index; {command}", PROJECT)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != INSTALL])
def test_a_command_of_the_page_runs(
    command: str, trained: tuple[Path, Outcome], home: Path
) -> None:
    copy_world(trained[0], home)
    (home / "answers").mkdir()
    said = typed(command.replace("fourcycle", f"{sys.executable} -m pipelines", 1), home)
    assert "Scored" in said
    assert list(home.glob("answers*/*.parquet")) or (home / "answers.parquet").is_file()


def test_the_window_of_the_page_is_counted_by_ray(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    copy_world(trained[0], home)
    score = "score --use-case penguins --source holdout --target answers.parquet --log yes"
    typed(f"{sys.executable} -m pipelines {score}", home)
    program = python_block("docs/beyond.md", "monitor(")
    (home / "window.py").write_text(program, encoding="utf-8")
    assert "verdict.html" in typed(f"{sys.executable} window.py 1>&2", home)


def typed(command: str, folder: Path) -> str:
    """What a command says to people that is typed in a folder, and succeeds."""
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | PLAIN | store | {"PYTHONPATH": path_of_packages(), "PATH": path}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr
