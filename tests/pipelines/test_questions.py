"""Questions about logged answers: lineage, backtest and the training set, on trained penguins."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pytest

from contract.errors import BadInput, Refused
from contract.schema import conform
from contract.settings import read_settings
from contract.use_case import Column
from contract.use_case_file import load_use_case
from pipelines import lineage as following
from pipelines.backtest import backtest
from pipelines.feedback import feedback
from pipelines.lineage import lineage
from pipelines.main import Outcome
from pipelines.packaged import load
from pipelines.registry import champion_of
from pipelines.sources import read_source
from pipelines.training_set import training_set
from pipelines.workspace import Workspace, connected
from serving.cells import Sent, check
from serving.shipper import Shipper
from tests.serving.answers import answer as answer_of
from tests.serving.answers import spooled

REQUEST = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11"
N_ROWS = 60


@pytest.fixture(scope="module")
def world(trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained penguins' store and tables, with answers and labels; read it only."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(trained[0] / "mlflow.db", folder)
    shutil.copytree(trained[0] / "data", folder / "data")
    workspace = opened(folder)
    answer(workspace, folder, REQUEST, range(N_ROWS))
    answer(workspace, folder, REQUEST.replace("11", "12"), range(10), named=False)
    rows = read_source(workspace.use_case).slice(0, N_ROWS // 2).select(["penguin", "species"])
    rows.to_pandas().to_csv(folder / "labels.csv", index=False)
    feedback(workspace, str(folder / "labels.csv"))
    (folder / "more.csv").write_text(
        f"prediction_id,label,label_time\n{REQUEST}-1,Gentoo,2026-01-01\n{REQUEST}-40,Gentoo,\n"
    )
    feedback(workspace, str(folder / "more.csv"))
    return folder


def opened(folder: Path) -> Workspace:
    settings = read_settings().model_copy(
        update={"tracking_uri": f"sqlite:///{folder}/mlflow.db", "root": str(folder / "data")}
    )
    return connected(load_use_case("penguins"), settings, "monitoring")


@pytest.fixture
def workspace(world: Path, home: Path) -> Workspace:
    """Its own copy of store and tables."""
    shutil.copy(world / "mlflow.db", home)
    shutil.copytree(world / "data", home / "data")
    return opened(home)


def answer(
    workspace: Workspace,
    folder: Path,
    request_id: str,
    rows: range,
    named: bool = True,
    **changes: Any,
) -> None:
    """Let the champion answer some rows of the source, as the service does."""
    champion = champion_of(workspace)
    assert champion
    served = load(workspace, champion).served
    source = read_source(workspace.use_case).slice(rows.start, len(rows))
    names = [*workspace.use_case.features, *(workspace.use_case.keys if named else ())]
    known = conform(source, workspace.use_case).table
    columns = {name: known.column(name).to_pylist() for name in names}
    checked = check(Sent(columns, len(rows)), served.use_case)
    found = served.scorer.score(checked.features)
    facts: dict[str, Any] = {
        "version": served.version,
        "features": checked.features,
        "keys": checked.keys,
        "event_time": checked.event_time,
        "prediction": found.prediction,
        "probability": found.probability,
        "flags": checked.flags,
        "logged_time": datetime.now(UTC),
    }
    answered = answer_of(served.use_case, request_id, len(rows), **facts | changes)
    spooled(folder / "spool", served.use_case, [answered])
    Shipper(folder / "spool", workspace.tables).drain()


def source_key(workspace: Workspace, row: int) -> int:
    key: int = read_source(workspace.use_case).column("penguin")[row].as_py()
    return key


def test_lineage_leads_from_an_answer_to_commit_data_and_move(workspace: Workspace) -> None:
    found = lineage(workspace, f"{REQUEST}-0")
    champion = champion_of(workspace)
    assert champion
    assert (found.version["version"], found.version["stage"]) == (champion.version, "Production")
    assert found.ledger
    assert (found.ledger["move"], found.ledger["version"]) == ("promote", champion.version)
    assert found.champion_then == champion.version
    assert set(found.runs) == {"train_run", "evaluate_run", "package_run", "gate_run"}
    for run_id in (*found.runs.values(), found.validation_run):
        assert workspace.client.get_run(run_id).info.status == "FINISHED"
    assert found.data["training"] == (
        f"training@{champion.tags['training_version']} {champion.tags['training_hash']}"
    )
    assert found.expectations == champion.tags["expectations"]
    assert found.commit["git_commit"] == champion.tags["git_commit"]
    assert found.prediction["inputs"]["island"] in ("Biscoe", "Dream", "Torgersen")
    assert [label["revision"] for label in found.labels] == [1]
    assert found.notes == []


def test_lineage_shows_every_revision_of_a_label(workspace: Workspace) -> None:
    found = lineage(workspace, f"{REQUEST}-1").labels
    assert [(label["revision"], label["newest"]) for label in found] == [(1, False), (2, True)]


def test_lineage_says_what_it_cannot_know(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match=r"No prediction 'x-0'.*on its way from a spool"):
        lineage(workspace, "x-0")
    champion = champion_of(workspace)
    assert champion
    workspace.client.delete_model_version(workspace.model_name, champion.version)
    found = lineage(workspace, f"{REQUEST}-0")
    assert found.version["stage"] == "not registered any more"
    assert "not registered any more" in found.notes[0]
    assert found.ledger  # what the ledger holds stays


def test_lineage_is_read_by_people_and_programs(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    following.main("penguins", prediction_id=f"{REQUEST}-0", as_json="yes")
    out, err = capsys.readouterr()
    assert json.loads(out)["prediction"]["prediction_id"] == f"{REQUEST}-0"
    assert "live since" in err
    assert "promote" in err


def test_a_backtest_of_the_version_that_answered_finds_no_difference(workspace: Workspace) -> None:
    champion = champion_of(workspace)
    assert champion
    found = backtest(workspace, champion, "", "").result
    assert (found.rows, found.rows_different, found.rows_unanswerable) == (N_ROWS + 10, 0, 0)
    assert found.mean_difference == 0
    assert found.rows_labelled == N_ROWS // 2 + 1
    assert found.figures == found.figures_given
    assert 0 < found.figures["accuracy"] < 1  # the label of row 40 is wrong on purpose
    (run,) = mlflow.search_runs(
        experiment_names=["penguins/monitoring"],
        filter_string="tags.step = 'backtest'",
        output_format="list",
    )
    assert run.data.metrics["window/accuracy"] == run.data.metrics["given/accuracy"]
    assert run.data.tags["model_version"] == champion.version


def test_a_backtest_counts_what_it_would_have_answered_otherwise(
    workspace: Workspace, home: Path
) -> None:
    champion = champion_of(workspace)
    assert champion
    given: dict[str, Any] = {
        "prediction": ["Gentoo"] * 20,
        "probability": [[0.0, 0.0, 1.0]] * 20,
        "version": "9",
    }
    answer(workspace, home, REQUEST.replace("11", "13"), range(20), **given)
    found = backtest(workspace, champion, "", "").result
    assert found.answered_by == {champion.version: N_ROWS + 10, "9": 20}
    assert found.rows_different == sum(found.changes.values()) > 10
    assert all(change.startswith("Gentoo → ") for change in found.changes)
    assert 0 < found.mean_difference < 1
    assert found.rows_labelled == N_ROWS // 2 + 1 + 20
    assert found.figures_given["accuracy"] < found.figures["accuracy"]


def test_a_backtest_outside_the_traffic_has_nothing_to_say(workspace: Workspace) -> None:
    champion = champion_of(workspace)
    assert champion
    found = backtest(workspace, champion, "2013-01-01", "2013-02-01").result
    assert (found.rows, found.rows_labelled, found.figures) == (0, 0, {})


def test_the_training_set_holds_each_labelled_row_once(workspace: Workspace) -> None:
    made = training_set(workspace, "", "").result
    assert made.labelled.rows == N_ROWS // 2 + 1
    assert made.rows_answered == N_ROWS + 10
    assert (made.rows_nameless, made.rows_repeated) == (0, 0)
    rows = {r["penguin"]: r for r in workspace.tables.read("labelled").to_pylist()}
    source = {r["penguin"]: r for r in read_source(workspace.use_case).to_pylist()}
    first = min(rows)
    wrong = [key for key, row in rows.items() if row["species"] != source[key]["species"]]
    assert wrong == [source_key(workspace, 40)]  # of row 1 an older label came later
    assert rows[first]["island"] == source[first]["island"]
    again = training_set(workspace, "", "").result
    assert again.labelled == made.labelled


def test_a_row_asked_again_stands_as_asked_last_and_late_labels_make_a_new_version(
    workspace: Workspace, home: Path
) -> None:
    first = training_set(workspace, "", "").result
    answer(workspace, home, REQUEST.replace("11", "13"), range(5))
    again = training_set(workspace, "", "").result
    assert (again.labelled, again.rows_repeated) == (first.labelled, 5)
    (home / "late.csv").write_text(f"penguin,label\n{source_key(workspace, 50)},Adelie\n")
    feedback(workspace, str(home / "late.csv"))
    later = training_set(workspace, "", "").result
    assert later.labelled.version > first.labelled.version
    assert later.labelled.rows == first.labelled.rows + 1


def test_a_training_set_feeds_the_pipeline_as_its_source(workspace: Workspace) -> None:
    made = training_set(workspace, "", "").result
    source = {"delta": {"path": workspace.tables.uri("labelled"), "version": made.labelled.version}}
    kind = type(workspace.use_case.source)
    use_case = workspace.use_case.model_copy(update={"source": kind.model_validate(source)})
    rows = read_source(use_case)
    assert rows.num_rows == made.labelled.rows
    assert set(use_case.columns) <= set(rows.column_names)


def test_what_the_log_hides_can_not_be_learned_from(workspace: Workspace) -> None:
    columns = workspace.use_case.columns
    hidden = columns | {"island": Column(type="string", personal=True)}
    use_case = workspace.use_case.model_copy(update={"columns": hidden})
    with pytest.raises(Refused, match="does not hold island as sent"):
        training_set(replace(workspace, use_case=use_case), "", "")


def test_a_window_without_labels_or_a_table_is_said(workspace: Workspace, home: Path) -> None:
    with pytest.raises(Refused, match="None of 0 answers"):
        training_set(workspace, "2013-01-01", "2013-02-01")
    shutil.rmtree(home / "data/penguins/predictions")
    with pytest.raises(BadInput, match="No prediction of 'penguins' is logged yet"):
        training_set(workspace, "", "")
