"""Tables without keys: no row is lost, none is told twice, equal ones stay together."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from sqlalchemy import create_engine

from contract.errors import BadInput
from contract.names import ROW_KEY, ROW_NUMBER
from contract.store.rows.row_keys import named
from contract.store.schema import conform
from contract.use_case.loader import frozen, parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import Source
from contract.use_case.sections.split import GroupSplit, RandomSplit, TimeSplit
from pipelines.data.after_holdout import unanswered
from pipelines.data.rehearsal import Rehearsal
from pipelines.feedback import feedback
from pipelines.forget import forget
from pipelines.ingest import Ingested, ingest, ingest_labelled
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.split import divide
from pipelines.training_set import training_set
from pipelines.validate import validate
from serving.shipping.shipper import Shipper
from tests.support.answers import answer, spooled

SHIP = """
name: ship
title: Who was saved
task: binary
source: {csv: ship.csv}
keys: row_hash
target: saved
positive: 'yes'
columns:
  deck: {type: string}
  fare: {type: number, nullable: true}
  boarded: {type: timestamp}
  saved: {type: string}
split: {by: random}
estimator: {path: sklearn.linear_model.LogisticRegression}
evaluation: {metric: roc_auc}
"""
N_ROWS, N_DIFFERENT = 1316, 20


def passengers() -> pd.DataFrame:
    """Twenty different rows, over and over."""
    which = np.random.default_rng(0).permutation(np.arange(N_ROWS) % N_DIFFERENT)
    return pd.DataFrame(
        {
            "deck": np.array([f"deck, {i % 5}" for i in range(N_DIFFERENT)])[which],
            "fare": np.array([np.nan if i == 7 else i / 10 for i in range(N_DIFFERENT)])[which],
            "boarded": [f"1912-04-{10 + i % 3}T12:00:00Z" for i in which],
            "saved": np.where(which % 3 == 0, "yes", "no"),
        }
    )


def use_case() -> UseCase:
    return parse_use_case(SHIP, "ship.yaml", Path.cwd())


@pytest.fixture
def ship(home: Path, empty_store: Path) -> Iterator[Workspace]:
    shutil.copy(empty_store / "mlflow.db", home)
    passengers().to_csv("ship.csv", index=False)
    with open_workspace(use_case()) as opened:
        yield opened


def take_in(workspace: Workspace, rows: pd.DataFrame | None = None) -> Ingested:
    if rows is not None:
        rows.to_csv("ship.csv", index=False)
    return ingest(workspace, Rehearsal()).result


def test_no_row_is_lost_also_after_the_same_file_came_again(ship: Workspace) -> None:
    first = take_in(ship)
    assert (first.rows_new, first.rows_repeated) == (N_ROWS, 0)
    assert first.rows_equal == N_ROWS - N_DIFFERENT
    checked = validate(ship, first).result
    assert (checked.rows_checked, checked.rows_quarantined) == (N_ROWS, 0)
    turned = passengers().sample(frac=1, random_state=1)[["saved", "boarded", "fare", "deck"]]
    again = take_in(ship, turned)
    assert (again.rows_new, again.raw) == (0, first.raw)
    rows = ship.tables.read("raw").to_pandas()
    assert rows.groupby(ROW_KEY)[ROW_NUMBER].max().sum() == N_ROWS
    assert rows[ROW_KEY].nunique() == N_DIFFERENT


def test_more_of_a_row_in_one_reading_is_more_and_fewer_takes_none_away(ship: Workspace) -> None:
    first = take_in(ship)
    extra = passengers().head(1)
    more = take_in(ship, pd.concat([passengers(), extra, extra]))
    assert more.rows_new == 2
    assert take_in(ship, extra).rows_new == 0  # again, for all that a reading can tell
    late = validate(ship, more).result
    assert (late.rows_quarantined, late.raw.rows) == (0, first.raw.rows + 2)


def test_every_kind_of_source_brings_the_same_rows(ship: Workspace, home: Path) -> None:
    first = take_in(ship)
    rows = passengers().assign(boarded=lambda r: pd.to_datetime(r["boarded"]))
    pq.write_table(pa.Table.from_pandas(rows), "ship.parquet")
    write_deltalake("ship", pa.Table.from_pandas(rows, preserve_index=False))
    passengers().to_sql("ship", create_engine("sqlite:///ship.db"), index=False)
    (home / "ship_rows.py").write_text(
        "import pandas as pd\ndef load(): return pd.read_parquet('ship.parquet')\n"
    )
    url = f"sqlite:///{home}/ship.db"
    kinds: list[dict[str, object]] = [
        {"parquet": str(home / "ship.parquet")},
        {"delta": {"path": str(home / "ship")}},
        {"sql": {"url": url, "query": "SELECT * FROM ship"}},
        {"python": "ship_rows:load", "folder": str(home)},
        {"csv": str(home / "ship.csv"), "since": "boarded"},
    ]
    for kind in kinds:
        other = use_case().model_copy(update={"source": Source.model_validate(kind)})
        found = ingest(replace(ship, use_case=other), Rehearsal()).result
        assert (found.rows_read, found.rows_new, found.raw) == (N_ROWS, 0, first.raw), kind


@pytest.mark.parametrize(
    "split",
    [
        RandomSplit(by="random", holdout_share=0.4),
        GroupSplit(by="group", column="deck"),
        TimeSplit(by="time"),
    ],
    ids=lambda split: str(split.by),
)
def test_equal_rows_fall_on_one_side(
    split: RandomSplit | GroupSplit | TimeSplit,
) -> None:
    delivered = pa.Table.from_pandas(passengers(), preserve_index=False)
    rows = named(conform(delivered, use_case()).table, use_case())
    changes = {"split": split, "event_time": "boarded" if split.by == "time" else None}
    training, holdout = divide(rows, use_case().model_copy(update=changes))
    keys = np.array(rows.column(ROW_KEY).to_pylist())
    assert training.sum() + holdout.sum() == N_ROWS
    assert training.any() and holdout.any()
    assert not {*keys[training]} & {*keys[holdout]}


def test_equal_inputs_fall_on_one_side_whatever_their_labels() -> None:
    inputs = pd.DataFrame({"deck": [f"d{n % 40}" for n in range(400)], "fare": 1.5})
    saved = inputs.assign(saved=["yes", "no"] * 200, boarded=pd.Timestamp("1912-04-10", tz="UTC"))
    saved.loc[::3, "saved"] = "no"
    rows = named(
        conform(pa.Table.from_pandas(saved, preserve_index=False), use_case()).table, use_case()
    )
    how = RandomSplit(by="random", holdout_share=0.4)
    training, holdout = divide(rows, use_case().model_copy(update={"split": how}))
    decks = saved["deck"].to_numpy()
    assert saved["saved"][saved["deck"] == "d0"].nunique() == 2
    assert training.any() and holdout.any()
    assert not {*decks[training]} & {*decks[holdout]}


def test_a_column_that_is_declared_later_begins_raw_anew(ship: Workspace) -> None:
    take_in(ship)
    wider = use_case().columns | {"crew": Column(type="boolean", nullable=True)}
    passengers().assign(crew=None).to_csv("ship.csv", index=False)
    declared = use_case().model_copy(update={"columns": wider})
    before = {*ship.tables.read("raw").column(ROW_KEY).to_pylist()}
    found = ingest(replace(ship, use_case=declared), Rehearsal()).result
    assert (found.rows_new, found.raw.rows) == (N_ROWS, N_ROWS)
    assert {*ship.tables.read("raw").column(ROW_KEY).to_pylist()} == before


def asked(workspace: Workspace, rows: pa.Table) -> None:
    """Answers to these rows in the table, as the service logs them."""
    names = workspace.use_case.features
    facts = {"version": "1", "features": {n: rows.column(n).to_pylist() for n in names}, "keys": {}}
    facts["prediction"] = ["yes"] * rows.num_rows
    request = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11"
    record = answer(workspace.use_case, request, rows.num_rows, **facts)
    spooled(Path("spool"), workspace.use_case, [record])
    Shipper(Path("spool"), workspace.tables).drain()


def test_the_cells_of_a_row_name_whom_to_forget(ship: Workspace) -> None:
    take_in(ship)
    rows = ship.tables.read("raw")
    asked(ship, rows.slice(0, 100))
    chosen = rows.filter(pa.compute.is_null(rows.column("fare")))
    inputs = chosen.slice(0, 1).to_pylist()[0]
    n_asked = sum(row["fare"] is None for row in rows.slice(0, 100).to_pylist())
    assert 0 < n_asked < 100
    cells = f'{{"deck": "{inputs["deck"]}", "boarded": "{inputs["boarded"].isoformat()}", '
    done = forget(ship, cells + f'"saved": "{inputs["saved"]}"}}').result
    assert done.rows == {"raw": chosen.num_rows, "predictions": n_asked}
    assert ship.tables.read("raw").num_rows == N_ROWS - chosen.num_rows
    assert take_in(ship, passengers()).rows_new == chosen.num_rows  # the source still has them
    with pytest.raises(BadInput, match=r"all cells name one; deck is missing"):
        forget(ship, "boarded=1912-04-10,saved=no")


def test_answers_are_known_again_by_their_inputs(ship: Workspace) -> None:
    take_in(ship)
    rows = ship.tables.read("raw")
    assert unanswered(ship, rows).num_rows == N_ROWS
    few = rows.slice(0, 3)
    asked(ship, few)
    left = unanswered(ship, rows)
    inputs = ("deck", "fare", "boarded")
    known = {tuple(row[n] for n in inputs) for row in few.to_pylist()}
    assert left.num_rows == sum(
        tuple(row[n] for n in inputs) not in known for row in rows.to_pylist()
    )
    assert unanswered(ship, rows, version="2").num_rows == N_ROWS


def test_labelled_answers_that_are_rows_already_bring_nothing(ship: Workspace) -> None:
    take_in(ship)
    rows = ship.tables.read("raw")
    asked(ship, rows.slice(0, 3))
    told = rows.column("saved").to_pylist()
    labels = pd.DataFrame(
        {
            "prediction_id": [f"0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-{i}" for i in range(3)],
            "label": [*told[:2], "no" if told[2] == "yes" else "yes"],
        }
    )
    labels.to_csv("labels.csv", index=False)
    assert feedback(ship, "labels.csv").result.rows_new == 3
    made = training_set(ship, "", "").result.labelled
    assert made.rows == 3
    found = ingest_labelled(ship, made).result
    assert found.rows_new == 1  # the one whose label is another


def test_a_use_case_without_keys_says_so_in_its_frozen_copy(home: Path) -> None:
    text = frozen(use_case())
    assert "keys: row_hash" in text
    assert parse_use_case(text, "frozen.yaml", home).keys == ()


@pytest.mark.parametrize("keys", ["[]", "id"])
def test_keys_are_columns_or_the_one_word(keys: str, home: Path) -> None:
    with pytest.raises(BadInput, match=r"keys: a list of columns is needed, .* row_hash where"):
        parse_use_case(SHIP.replace("keys: row_hash", f"keys: {keys}"), "ship.yaml", home)


def test_rows_without_keys_are_never_replaced(home: Path) -> None:
    text = SHIP.replace("csv: ship.csv", "csv: ship.csv, late_duplicates: replace")
    with pytest.raises(BadInput, match="late_duplicates: replace needs keys"):
        parse_use_case(text, "ship.yaml", home)
