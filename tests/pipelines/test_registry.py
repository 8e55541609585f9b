"""Which run a version leads back to, whenever it was registered."""

from pathlib import Path

import pytest

from pipelines import register
from pipelines.main import Outcome
from pipelines.registry.versions import Version
from tests.conftest import copy_world
from tests.support.answered import opened

TAGS = {"train_run": "trained", "package_run": "packaged"}


@pytest.mark.parametrize(
    ("run_id", "tags"),
    [("packaged", TAGS), ("trained", TAGS), ("trained", {})],
    ids=["of its package", "of its training, and a tag", "of its training alone"],
)
def test_a_version_leads_to_the_run_that_trained_it(run_id: str, tags: dict[str, str]) -> None:
    assert Version("1", "Production", run_id, "", tags).train_run == "trained"


@pytest.mark.parametrize("named", [False, True])
def test_a_package_of_the_newest_or_the_named_runs_is_registered_once(
    trained: tuple[Path, Outcome], home: Path, named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_world(trained[0], home)
    tags = Version.read(opened(home), "1").tags
    run = {"package": tags["package_run"], "train": tags["train_run"]} if named else {}
    register.main("penguins", **run)
    assert "penguins version 1, Production (known already)" in capsys.readouterr().err
