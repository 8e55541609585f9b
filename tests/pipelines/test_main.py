import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from contract.errors import BadInput
from contract.names import CHALLENGER, CHAMPION, PRODUCTION
from contract.use_case.sections.estimator import Range
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import Outcome, as_document, pipeline
from pipelines.registry.versions import Version
from pipelines.reproduce import reproduce
from pipelines.runtime.process_identity import process_identity
from pipelines.runtime.workspace import open_workspace
from pipelines.train import read_tune
from tests.conftest import deliver, made_rows, made_use_case
from tests.support.project import PROJECT
from tracking.tags import PROCESS_TAG

pytestmark = pytest.mark.usefixtures("stored")

COMMAND = [sys.executable, "-m", "pipelines.main", "--use-case", "made.yaml"]
STEPS = [
    "ingest",
    "validate",
    "split",
    "train",
    "evaluate",
    "package",
    "register",
    "gate",
    "promote",
]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(PROJECT)}


def test_trials_are_a_whole_number() -> None:
    assert (read_tune(""), read_tune("20")) == (0, 20)
    with pytest.raises(BadInput, match="tune: a whole number of trials is needed, found 'many'"):
        read_tune("many")


def test_the_pipeline_ends_in_production(
    trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outcome = trained
    monkeypatch.chdir(folder)
    with open_workspace("penguins") as workspace:
        version = Version.read(workspace, outcome.registered.version)
        model = workspace.client.get_registered_model("penguins")
        found = workspace.client.get_model_version("penguins", version.version)
    assert version.stage == PRODUCTION
    assert {a: str(v) for a, v in model.aliases.items()} == {CHAMPION: version.version}
    assert list(outcome.seconds) == STEPS
    missing = {
        "git_commit",
        "git_dirty",
        "training_hash",
        "holdout_hash",
        "raw_hash",
        "expectations",
        "train_run",
        "lock_hash",
    } - set(version.tags)
    assert not missing
    assert found.description is not None
    for heading in ("Intended use", "Data", "Metrics", "Slices", "Limits", "Lineage"):
        assert f"## {heading}" in found.description


def test_what_it_did_is_told_to_programs(trained: tuple[Path, Outcome]) -> None:
    found = json.loads(json.dumps(as_document(trained[1])))
    assert (found["state"], found["version"], found["rows_repeated"]) == ("DONE", "1", 0)
    assert found["rows_new"] == found["rows_read"] > 300
    no = replace(trained[1], gated=trained[1].gated.model_copy(update={"passed": False}))
    assert as_document(no)["state"] == "GATE_REFUSED"


def test_runs_form_a_tree_with_names(
    trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = trained
    monkeypatch.chdir(folder)
    with open_workspace("penguins") as workspace:
        runs = workspace.client.search_runs(
            [workspace.experiment_id], order_by=["attributes.start_time ASC"]
        )
    parent = next(run for run in runs if run.info.run_name == "main")
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert [run.info.run_name for run in children][: len(STEPS)] == STEPS
    assert all(run.data.tags["use_case"] == "penguins" for run in runs)


def test_a_second_pipeline_reuses_and_registers_nothing(
    trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, first = trained
    monkeypatch.chdir(folder)
    with open_workspace("penguins") as workspace:
        again = pipeline(workspace, Rehearsal(), tune=0)
        versions = workspace.client.search_model_versions("name = 'penguins'")
    assert again.reused == ("validate", "split", "train", "evaluate", "package", "gate")
    assert not again.registered.new
    assert again.registered.version == first.registered.version
    assert len(versions) == 1


def test_a_version_is_reproduced_bit_for_bit(
    trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outcome = trained
    monkeypatch.chdir(folder)
    with open_workspace("penguins") as workspace:
        version = Version.read(workspace, outcome.registered.version)
        done = reproduce(workspace, version).result
    assert done.identical
    assert done.differences == ()


def test_mlflow_loads_the_champion(
    trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = trained
    monkeypatch.chdir(folder)
    with open_workspace("penguins") as workspace:
        rows = workspace.tables.read("holdout").to_pandas()
        model = mlflow.pyfunc.load_model("models:/penguins@champion")
        answers = model.predict(rows[list(workspace.use_case.features)])
    assert (answers == rows["species"]).mean() > 0.9


def test_changed_parameters_train_anew_and_meet_the_champion(home: Path) -> None:
    deliver(home, made_rows())
    with open_workspace(made_use_case(home)) as workspace:
        pipeline(workspace, Rehearsal(), tune=0)
    # Trials run two at a time and may try other points each time, so all points are good ones.
    near = {"parameters": {"C": 0.5}, "search": {"C": Range(low=0.4, high=0.6)}}
    estimator = made_use_case(home).estimator.model_copy(update=near)
    with open_workspace(made_use_case(home, {"estimator": estimator})) as workspace:
        second = pipeline(workspace, Rehearsal(), tune=2)
        aliases = workspace.client.get_registered_model("made").aliases
        trials = workspace.client.search_runs([workspace.experiment_id], "tags.step = 'trial'")
    assert second.reused == ("validate", "split")
    assert (second.registered.version, second.evaluated.champion) == ("2", "1")
    assert {a: str(v) for a, v in aliases.items()} == {CHAMPION: "2", "previous": "1"}
    assert CHALLENGER not in aliases
    assert len(trials) == 2


def write_use_case(home: Path) -> None:
    from tests.conftest import MADE

    deliver(home, made_rows())
    (home / "made.yaml").write_text(MADE, encoding="utf-8")


def test_two_pipelines_at_once_one_works_the_other_says_so(home: Path) -> None:
    write_use_case(home)
    with open_workspace(made_use_case(home)):
        second = subprocess.run(
            COMMAND, env=environment(), cwd=home, capture_output=True, text=True, check=False
        )
    assert second.returncode == 0
    assert "Another pipeline works on 'made'" in second.stderr


def test_a_living_process_is_no_orphan(home: Path) -> None:
    deliver(home, made_rows())
    with open_workspace(made_use_case(home)) as workspace:
        for identity in (process_identity(), "elsewhere:1:0.0", "x"):
            run = workspace.client.create_run(workspace.experiment_id)
            workspace.client.set_tag(run.info.run_id, PROCESS_TAG, identity)
    with open_workspace(made_use_case(home)) as workspace:
        runs = workspace.client.search_runs([workspace.experiment_id])
    assert [run.info.status for run in runs] == ["RUNNING"] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--use-case", "flihgts"], 2, "did you mean 'flights'"),
        (["--use-case", "penguins", "--sample", "-1"], 2, "sample: a whole number"),
        (["--use-case", "penguins", "--train-from", "2013-01-01"], 2, "need a split by time"),
        (["--nonsense"], 2, "No such option"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(
    home: Path, arguments: list[str], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.main", *arguments],
        env=environment(),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
