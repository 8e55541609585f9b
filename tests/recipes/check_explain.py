from pathlib import Path

import pytest

from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from pipelines.__main__ import commands
from pipelines.main import Outcome
from pipelines.runtime.workspace import connected
from tests.conftest import copy_world
from tests.test_house import options, test_fourcycle_lists_every_entry_point_once
from tests.test_house import test_a_command_says_what_it_does_after_its_name as says
from tests.test_house import test_an_entry_point_is_its_module_s_main as is_main
from tests.test_house import (
    test_an_entry_point_passes_every_parameter_under_its_own_name as passes_all,
)

__all__ = ["test_fourcycle_lists_every_entry_point_once"]


def test_it_is_an_entry_point_like_the_others() -> None:
    for rule in (says, is_main, passes_all):
        rule("explain")
    assert options("pipelines.explain") == {"use_case": "flights", "root": "", "evaluate": ""}


def test_it_runs_on_what_is_there_and_is_not_computed_twice(
    trained: tuple[Path, Outcome], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy_world(trained[0], home)
    for word in ("", "reused"):
        with pytest.raises(SystemExit) as ended:
            commands()(["explain", "--use-case", "penguins"], prog_name="fourcycle")
        assert not ended.value.code
        said = " ".join(capfd.readouterr().err.split())
        assert "it leans on" in said
        assert word in said
    workspace = connected(load_use_case("penguins"), read_settings(), "training")
    runs = workspace.client.search_runs([workspace.experiment_id], "tags.step = 'explain'")
    leans = {run.data.tags.get("leans_on") for run in runs} - {None}
    assert leans <= {"bill_length_mm", "flipper_length_mm", "bill_depth_mm", "island"}
    assert leans
