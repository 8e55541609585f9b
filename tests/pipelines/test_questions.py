"""Questions about logged answers: lineage, backtest and the training set, on trained penguins."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest

from contract.errors import BadInput, Refused
from contract.use_case.sections.column import Column
from pipelines import backtest as backtesting
from pipelines import lineage as following
from pipelines import training_set as learning
from pipelines.backtest import backtest
from pipelines.feedback import feedback
from pipelines.lineage import lineage
from pipelines.main import Outcome
from pipelines.registry.versions import champion_of
from pipelines.runtime.workspace import Workspace
from pipelines.sources.registry import read_source
from pipelines.training_set import training_set
from tests.conftest import copy_world
from tests.support.answered import N_ROWS, REQUEST, answer, opened


def source_key(answered: Workspace, row: int) -> int:
    key: int = read_source(answered.use_case).column("penguin")[row].as_py()
    return key


def test_lineage_leads_from_an_answer_to_commit_data_and_move(answered: Workspace) -> None:
    found = lineage(answered, f"{REQUEST}-0")
    champion = champion_of(answered)
    assert champion
    assert (found.version["version"], found.version["stage"]) == (champion.version, "Production")
    assert found.ledger
    assert (found.ledger["move"], found.ledger["version"]) == ("promote", champion.version)
    assert found.champion_then == champion.version
    assert set(found.runs) == {"train_run", "evaluate_run", "package_run", "gate_run"}
    for run_id in (*found.runs.values(), found.validation_run):
        assert answered.client.get_run(run_id).info.status == "FINISHED"
    assert found.data["training"] == (
        f"training@{champion.tags['training_version']} {champion.tags['training_hash']}"
    )
    assert found.expectations == champion.tags["expectations"]
    assert found.commit["git_commit"] == champion.tags["git_commit"]
    assert found.prediction["inputs"]["island"] in ("Biscoe", "Dream", "Torgersen")
    assert [label["revision"] for label in found.labels] == [1]
    assert found.notes == []


def test_lineage_shows_every_revision_of_a_label(answered: Workspace) -> None:
    found = lineage(answered, f"{REQUEST}-1").labels
    assert [(label["revision"], label["newest"]) for label in found] == [(1, False), (2, True)]


def test_lineage_says_what_it_cannot_know(answered: Workspace) -> None:
    with pytest.raises(BadInput, match=r"No prediction 'x-0'.*on its way.*was taken out"):
        lineage(answered, "x-0")
    champion = champion_of(answered)
    assert champion
    answered.client.delete_model_version(answered.model_name, champion.version)
    found = lineage(answered, f"{REQUEST}-0")
    assert found.version["stage"] == "not registered any more"
    assert "not registered any more" in found.notes[0]
    assert found.ledger  # what the ledger holds stays


def test_lineage_is_read_by_people_and_programs(
    answered: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    following.main("penguins", prediction_id=f"{REQUEST}-0", as_json="yes")
    out, err = capsys.readouterr()
    assert json.loads(out)["prediction"]["prediction_id"] == f"{REQUEST}-0"
    assert "live since" in err
    assert "promote" in err


def test_a_backtest_of_the_version_that_answered_finds_no_difference(answered: Workspace) -> None:
    champion = champion_of(answered)
    assert champion
    found = backtest(answered, champion, "", "").result
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
    answered: Workspace, home: Path
) -> None:
    champion = champion_of(answered)
    assert champion
    given: dict[str, Any] = {
        "prediction": ["Gentoo"] * 20,
        "probability": [[0.0, 0.0, 1.0]] * 20,
        "version": "9",
    }
    answer(answered, home, REQUEST.replace("11", "13"), range(20), **given)
    found = backtest(answered, champion, "", "").result
    assert found.answered_by == {champion.version: N_ROWS + 10, "9": 20}
    assert found.rows_different == sum(found.changes.values()) > 10
    assert all(change.startswith("Gentoo → ") for change in found.changes)
    assert 0 < found.mean_difference < 1
    assert found.rows_labelled == N_ROWS // 2 + 1 + 20
    assert found.figures_given["accuracy"] < found.figures["accuracy"]


def test_a_backtest_outside_the_traffic_has_nothing_to_say(answered: Workspace) -> None:
    champion = champion_of(answered)
    assert champion
    found = backtest(answered, champion, "2013-01-01", "2013-02-01").result
    assert (found.rows, found.rows_labelled, found.figures) == (0, 0, {})


def test_the_training_set_holds_each_labelled_row_once(answered: Workspace) -> None:
    made = training_set(answered, "", "").result
    assert made.labelled.rows == N_ROWS // 2 + 1
    assert made.rows_answered == N_ROWS + 10
    assert (made.rows_nameless, made.rows_repeated) == (0, 0)
    rows = {r["penguin"]: r for r in answered.tables.read("labelled").to_pylist()}
    source = {r["penguin"]: r for r in read_source(answered.use_case).to_pylist()}
    first = min(rows)
    wrong = [key for key, row in rows.items() if row["species"] != source[key]["species"]]
    assert wrong == [source_key(answered, 40)]  # of row 1 an older label came later
    assert rows[first]["island"] == source[first]["island"]
    again = training_set(answered, "", "").result
    assert again.labelled == made.labelled


def test_a_row_asked_again_stands_as_asked_last_and_late_labels_make_a_new_version(
    answered: Workspace, home: Path
) -> None:
    first = training_set(answered, "", "").result
    answer(answered, home, REQUEST.replace("11", "13"), range(5))
    again = training_set(answered, "", "").result
    assert (again.labelled, again.rows_repeated) == (first.labelled, 5)
    (home / "late.csv").write_text(f"penguin,label\n{source_key(answered, 50)},Adelie\n")
    feedback(answered, str(home / "late.csv"))
    later = training_set(answered, "", "").result
    assert later.labelled.version > first.labelled.version
    assert later.labelled.rows == first.labelled.rows + 1
    before = {"predictions": 0, "feedback": 0}
    with pytest.raises(Refused, match="None of 0 answers"):
        training_set(answered, "", "", versions=before)


def test_a_training_set_feeds_the_pipeline_as_its_source(answered: Workspace) -> None:
    made = training_set(answered, "", "").result
    source = {"delta": {"path": answered.tables.uri("labelled"), "version": made.labelled.version}}
    kind = type(answered.use_case.source)
    use_case = answered.use_case.model_copy(update={"source": kind.model_validate(source)})
    rows = read_source(use_case)
    assert rows.num_rows == made.labelled.rows
    assert set(use_case.columns) <= set(rows.column_names)


def test_what_the_log_hides_can_not_be_learned_from(answered: Workspace) -> None:
    columns = answered.use_case.columns
    hidden = columns | {"island": Column(type="string", personal=True)}
    use_case = answered.use_case.model_copy(update={"columns": hidden})
    with pytest.raises(Refused, match="does not hold island as sent"):
        training_set(replace(answered, use_case=use_case), "", "")


def test_a_window_without_labels_or_a_table_is_said(answered: Workspace, home: Path) -> None:
    with pytest.raises(Refused, match="None of 0 answers"):
        training_set(answered, "2013-01-01", "2013-02-01")
    shutil.rmtree(home / "data/penguins/predictions")
    with pytest.raises(BadInput, match="No prediction of 'penguins' is logged yet"):
        training_set(answered, "", "")


def test_answers_without_keys_are_no_rows_to_learn_from(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    copy_world(trained[0], home)
    workspace = opened(home)
    answer(workspace, home, REQUEST, range(3), named=False)
    (home / "labels.csv").write_text(f"prediction_id,label,label_time\n{REQUEST}-1,Gentoo,\n")
    feedback(workspace, str(home / "labels.csv"))
    with pytest.raises(Refused, match=r"No labelled answer \(.*\) was asked with its keys"):
        training_set(workspace, "", "")


def test_the_commands_say_the_same_to_people_and_programs(
    answered: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    backtesting.main("penguins", as_json="yes")
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"] == N_ROWS + 10
    assert "given answers" in err
    learning.main("penguins", as_json="yes")
    out, err = capsys.readouterr()
    assert json.loads(out)["uri"] == answered.tables.uri("labelled")
    assert "source: {delta:" in err
