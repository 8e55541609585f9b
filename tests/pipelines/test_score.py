"""A whole file is answered like a request, and appears when it is whole."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from contract.errors import BadInput, Refused
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from pipelines.main import Outcome
from pipelines.runtime.workspace import Workspace, connected
from pipelines.score import main, score
from tests.support.project import PROJECT


@pytest.fixture
def workspace(
    trained: tuple[Path, Outcome], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained[0]}/mlflow.db")
    return connected(load_use_case("penguins"), read_settings(), "monitoring")


def holdout(workspace: Workspace) -> pa.Table:
    return workspace.tables.read("holdout", order_by=["penguin"])


def test_a_table_is_answered_like_mlflow_answers_it(workspace: Workspace, home: Path) -> None:
    done = score(workspace, "holdout", "answers.parquet").result
    answered = pq.read_table(home / "answers.parquet").sort_by("penguin")
    rows = holdout(workspace).to_pandas()
    model = mlflow.pyfunc.load_model("models:/penguins@champion")
    expected = model.predict(rows[list(workspace.use_case.features)])
    assert answered.column("prediction").to_pylist() == list(expected)
    assert answered.column("penguin").to_pylist() == rows["penguin"].tolist()
    names = [f"probability_{name}" for name in ("Adelie", "Chinstrap", "Gentoo")]
    sums = answered.select(names).to_pandas().sum(axis=1)
    assert sums.tolist() == pytest.approx([1] * done.rows)
    assert (done.rows, done.version) == (len(rows), "1")
    assert [path.name for path in home.glob("*answers*")] == ["answers.parquet"]


def test_threads_change_no_answer_and_no_order(workspace: Workspace, home: Path) -> None:
    rows = holdout(workspace).drop_columns(["species"])
    many = pa.concat_tables([rows] * 300)  # several parts
    pq.write_table(many, home / "rows.parquet")
    done = score(workspace, "rows.parquet", "one.parquet").result
    again = score(workspace, "rows.parquet", "three.parquet", threads=3).result
    assert (done.rows, done.job) == (again.rows, again.job) == (many.num_rows, done.job)
    one, three = (pq.read_table(home / f"{n}.parquet") for n in ("one", "three"))
    ids = one.column("prediction_id").to_pylist()
    assert len({name.rpartition("-")[0] for name in ids}) > 1
    assert one.drop_columns("prediction_id").equals(three.drop_columns("prediction_id"))


def test_csv_and_parquet_files_give_the_same_answers(workspace: Workspace, home: Path) -> None:
    rows = holdout(workspace).drop_columns(["species"])
    pq.write_table(rows, home / "rows.parquet")
    plain = rows.select([f.name for f in rows.schema if not f.name.startswith("_")])
    pyarrow.csv.write_csv(plain, home / "rows.csv")
    score(workspace, "rows.parquet", "from_parquet.csv")
    score(workspace, "rows.csv", "from_csv.csv", version="1")
    answers = [pyarrow.csv.read_csv(f"from_{kind}.csv") for kind in ("parquet", "csv")]
    parquet, from_csv = (table.drop_columns("prediction_id") for table in answers)  # two jobs
    assert parquet.equals(from_csv)


def test_a_row_that_does_not_fit_stops_it_and_the_old_file_stays(
    workspace: Workspace, home: Path
) -> None:
    score(workspace, "holdout", "answers.csv")
    before = (home / "answers.csv").read_bytes()
    rows = holdout(workspace).to_pandas()
    rows.loc[3, "island"] = None
    rows.to_parquet(home / "rows.parquet", index=False)
    with pytest.raises(Refused, match=r"Row 3, column 'island': string expected, found null"):
        score(workspace, "rows.parquet", "answers.csv")
    assert (home / "answers.csv").read_bytes() == before
    assert [path.name for path in home.glob(".*")] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("island,sex\nDream,male\n", "column 'bill_length_mm': it is missing"),
        ("body_mass_g\nheavy\n", "column 'body_mass_g', line 2: number expected"),
    ],
)
def test_a_file_that_does_not_fit_is_said_plainly(
    workspace: Workspace, home: Path, content: str, said: str
) -> None:
    (home / "rows.csv").write_text(content)
    with pytest.raises((Refused, BadInput), match=said):
        score(workspace, "rows.csv", "answers.csv")
    assert not (home / "answers.csv").exists()


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("", "answers.csv", "source: a .parquet, .csv or .jsonl file, .* or one of raw"),
        ("rows.xml", "answers.csv", "found 'rows.xml'"),
        ("rows.txt", "answers.csv", "no file or folder .*rows.txt"),
        ("holdout", "", "target: a .* or a Delta table is needed, found none"),
        ("holdout", "answers.txt", "target: a .parquet or .csv file"),
        ("holdout", "away/answers.csv", "in a folder that exists"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    workspace: Workspace, source: str, output: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        score(workspace, source, output)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "a.csv", "output": "b.csv"}, "output is the same as target; found both"),
        ({"bad_rows": "skip"}, "bad_rows: stop or quarantine is needed, found 'skip'"),
        ({"threads": "0"}, "threads: a whole number from 1 is needed, found '0'"),
        ({"engine": "spark"}, "engine: local or ray is needed, found 'spark'"),
    ],
)
def test_an_option_that_is_none_is_said(home: Path, options: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        main("penguins", source="holdout", **options)


def test_without_a_champion_a_version_is_needed(workspace: Workspace, home: Path) -> None:
    other = workspace.use_case.model_copy(update={"name": "owls"})
    with pytest.raises(BadInput, match="'owls' has no champion; name a version"):
        score(connected(other, read_settings(), "monitoring"), "rows.csv", "answers.csv")


def test_the_command_ends_with_a_summary(trained: tuple[Path, Outcome], home: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{trained[0]}/mlflow.db",
    }
    command = [sys.executable, "-m", "pipelines.score", "--use-case", "penguins"]
    done = subprocess.run(
        [*command, "--source", "holdout", "--output", "answers.csv"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "rows by version 1" in done.stderr
    assert (home / "answers.csv").is_file()
