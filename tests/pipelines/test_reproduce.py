"""Reproduce where something differs: the answers, the data, or code that no commit holds."""

import json
import shutil
from pathlib import Path

import pytest

from contract.errors import Refused
from pipelines import reproduce
from pipelines.main import Outcome
from pipelines.registry.versions import Version, tag
from pipelines.runtime.workspace import Workspace
from tests.conftest import copy_world
from tests.support.answered import opened
from tests.support.stores import relocated
from tracking.tags import LOCK_HASH_TAG


@pytest.fixture
def workspace(trained: tuple[Path, Outcome], home: Path) -> Workspace:
    copy_world(trained[0], home)
    return opened(home)


def test_other_answers_of_the_same_data_and_code_are_told(
    trained: tuple[Path, Outcome], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("data", "mlruns"):
        shutil.copytree(trained[0] / name, home / name)
    shutil.copy(trained[0] / "mlflow.db", home)
    relocated(home)
    run = Version.read(opened(home), "1").train_run
    (file,) = home.glob(f"mlruns/*/{run}/artifacts/result.json")
    found = json.loads(file.read_text())
    file.write_text(json.dumps(found | {"prediction_hash": "other"}))
    with pytest.raises(Refused, match=r"Version 1 is not reproduced\."):
        reproduce.main("penguins")
    said = " ".join(capsys.readouterr().err.split())
    assert "version 1 is not reproduced: answers differ although data, code and env" in said
    assert f"expected other found {found['prediction_hash']}" in said


def test_what_changed_around_a_version_is_named(workspace: Workspace) -> None:
    version = Version.read(workspace, "1")
    (name,) = {n for n in workspace.client.get_run(version.train_run).data.tags if "python" in n}
    workspace.client.set_tag(version.train_run, name, "2.7")
    done = reproduce.reproduce(workspace, version).result
    assert done.identical
    (difference,) = done.differences
    assert difference.startswith("python: was 2.7, is 3.")


def test_data_that_is_gone_or_another_is_named(workspace: Workspace, home: Path) -> None:
    version = Version.read(workspace, "1")
    for table in ("training", "holdout"):
        shutil.rmtree(home / "data/penguins" / table)
    with pytest.raises(Refused, match=r"can't be trained again: data: .*training.*; data: "):
        reproduce.reproduce(workspace, version)


@pytest.mark.parametrize(
    ("dirty", "said"),
    [("yes", "changed files, which no commit holds"), ("unknown", "an unknown commit")],
)
def test_code_that_no_commit_holds_can_t_be_had_again(
    workspace: Workspace, dirty: str, said: str
) -> None:
    version = Version.read(workspace, "1")
    workspace.client.set_tag(version.train_run, LOCK_HASH_TAG, "another lock")
    tag(workspace, version, git_dirty=dirty)
    with pytest.raises(Refused, match=f"Version 1 was trained from {said}; its code can't be had"):
        reproduce.main("penguins")
