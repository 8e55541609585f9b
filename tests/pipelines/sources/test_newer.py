"""`source.since`: what is read is less, and what `raw` holds is the same."""

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import write_deltalake

from contract.errors import BadInput
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from pipelines.data.rehearsal import Rehearsal
from pipelines.ingest import Ingested, ingest
from pipelines.runtime.workspace import open_workspace
from pipelines.sources.newer import Newer, newest, noted, read_note
from pipelines.sources.registry import read_source
from tests.conftest import made_rows
from tests.support.sources import reading, write_sql


@pytest.fixture(autouse=True)
def _store(home: Path, empty_store: Path) -> None:
    shutil.copy(empty_store / "mlflow.db", home)


def _first_and_late() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of six hours, then others: three of the very last hour, and those of later ones.

    Among the later ones stands one without a time of change.
    """
    rows = made_rows(60)
    rows["changed"] = rows["moment"].dt.floor("6h")
    last = rows["changed"].iloc[40]
    late = (rows["changed"] == last) & (np.arange(60) % 2 == 0)
    first = rows[(rows["changed"] <= last) & ~late]
    rest = rows.drop(first.index).copy()
    rest.loc[rest.index[-1], "changed"] = pd.NaT
    return first, rest


def _sqlite(home: Path) -> tuple[dict[str, object], Callable[[pd.DataFrame], None]]:
    query = "select * from rows"
    source: dict[str, object] = {"sql": {"url": f"sqlite:///{home}/rows.db", "query": query}}
    return source, lambda rows: write_sql(_as_text(rows), f"sqlite:///{home}/rows.db")


def _delta(home: Path) -> tuple[dict[str, object], Callable[[pd.DataFrame], None]]:
    return {"delta": {"path": f"{home}/delta"}}, lambda rows: write_deltalake(
        f"{home}/delta", rows, mode="append"
    )


def _parquet(home: Path) -> tuple[dict[str, object], Callable[[pd.DataFrame], None]]:
    def add(rows: pd.DataFrame) -> None:
        (home / "parts").mkdir(exist_ok=True)
        rows.to_parquet(home / "parts" / f"{len(list((home / 'parts').iterdir()))}.parquet")

    return {"parquet": f"{home}/parts"}, add


def _folders(home: Path) -> tuple[dict[str, object], Callable[[pd.DataFrame], None]]:
    """CSV in folders that are named after the time of change."""

    def add(rows: pd.DataFrame) -> None:
        for changed, part in rows.groupby("changed", dropna=False):
            name = "__HIVE_DEFAULT_PARTITION__" if pd.isna(changed) else f"{changed!s}"
            folder = home / "days" / f"changed={name.replace(':', '%3A')}"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{len(list(folder.iterdir()))}.csv"
            part.drop(columns="changed").to_csv(path, index=False)

    return {"csv": f"{home}/days"}, add


def _as_text(rows: pd.DataFrame) -> pd.DataFrame:
    texts = {n: rows[n].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for n in ("moment", "changed")}
    return rows.assign(**texts)


def _ingested(use_case: UseCase, root: Path) -> tuple[Ingested, list[dict[str, object]]]:
    with open_workspace(use_case, str(root)) as workspace:
        done = ingest(workspace, Rehearsal()).result
        tables: Tables = workspace.tables
        return done, tables.read("raw", columns=list(use_case.columns), order_by=["id"]).to_pylist()


@pytest.mark.parametrize("kind", [_sqlite, _delta, _parquet, _folders])
def test_what_is_new_makes_the_same_table_as_a_full_reading(
    home: Path,
    kind: Callable[[Path], tuple[dict[str, object], Callable[[pd.DataFrame], None]]],
) -> None:
    source, add = kind(home)
    by_mark, whole = (reading(home, **source, **since) for since in ({"since": "changed"}, {}))
    first, rest = _first_and_late()
    add(first)
    assert _ingested(by_mark, home / "a")[0].rows_read == len(first)
    add(rest)
    done, rows = _ingested(by_mark, home / "a")
    everything, expected = _ingested(whole, home / "b")
    assert rows == expected
    assert done.rows_new == len(rest)
    assert len(rest) <= done.rows_read < everything.rows_read


def test_a_mark_is_of_one_source_and_keeps_its_kind(home: Path) -> None:
    use_case = reading(home, delta={"path": "a"}, since="changed")
    other = reading(home, delta={"path": "b"}, since="changed")
    moment = made_rows(1)["moment"][0].to_pydatetime()
    for mark in (7, "2024-03", date(2024, 3, 1), moment, moment.replace(tzinfo=None)):
        note = noted(use_case, mark)
        found = read_note(use_case, note)
        assert found is not None
        assert (found.than, read_note(other, note)) == (mark, None)
    assert noted(use_case, None) == ""


def test_a_time_is_compared_as_the_column_keeps_it(home: Path) -> None:
    """05:30 UTC was 01:30 in New York; an hour that came twice counts from its first time on."""
    use_case = reading(home, delta={"path": "a"}, since="changed")
    moment = pd.Timestamp("2024-11-03T06:30:00Z").to_pydatetime()
    york = use_case.model_copy(update={"time_zone": "America/New_York"})
    found = read_note(york, noted(york, moment))
    assert found is not None
    naive = found.like(pa.timestamp("us"))
    assert naive == moment.replace(hour=1, tzinfo=None)
    assert found.like(pa.timestamp("us", "UTC")) == moment
    again = read_note(york, noted(york, naive))
    assert again is not None
    assert again.like(pa.timestamp("us", "UTC")) == moment - timedelta(hours=1)


def test_the_column_must_be_there_and_have_an_order() -> None:
    rows = pa.table({"changed": [1], "odd": [True]})
    with pytest.raises(BadInput, match=r"no column 'chnged'; did you mean 'changed'\?"):
        newest(rows, "chnged")
    with pytest.raises(BadInput, match="'odd' holds bool; times, dates"):
        newest(rows, "odd")
    with pytest.raises(BadInput, match="'odd' holds halffloat; times, dates"):
        newest(pa.table({"odd": pa.array([np.float16(1)])}), "odd")
    endless = pa.array([2**63 - 1], pa.timestamp("us"))  # as DuckDB writes one
    with pytest.raises(BadInput, match="'until' holds a time beyond the years 1 to 9999"):
        newest(pa.table({"until": endless}), "until")


def test_whole_decimals_and_words_of_a_dictionary_are_marks() -> None:
    rows = pa.table(
        {"n": [Decimal(7), Decimal(3)], "word": pa.array(["a", "b"]).dictionary_encode()}
    )
    assert (newest(rows, "n"), newest(rows, "word")) == (7, "b")
    assert isinstance(newest(rows, "n"), int)


def test_a_column_that_holds_something_else_now_is_read_whole() -> None:
    assert Newer("changed", "2024-03 or so").rows_of(pa.int64()) is None
    assert Newer("changed", 7).rows_of(pa.list_(pa.int64())) is None
    assert Newer("changed", 7).rows_of(pa.int64()) is not None


@pytest.mark.parametrize(
    ("name", "than"), [("day", date(2024, 3, 2)), ("count", 2), ("word", "b'c"), ("id", 2)]
)
def test_a_delta_table_is_read_from_a_mark_of_any_kind(
    home: Path, name: str, than: str | int | date
) -> None:
    days = [date(2024, 3, day) for day in (1, 2, 3)]
    rows: dict[str, list[Any]] = {
        "id": [1, 2, 3],
        "day": days,
        "count": [1, 2, 3],
        "word": ["a", "b'c", "d"],
    }
    write_deltalake(home / "delta", pa.table(rows))
    use_case = reading(home, delta={"path": f"{home}/delta"}, since=name)
    found = read_source(use_case, Newer(name, than))
    assert found.column("id").to_pylist() == [2, 3]
    assert newest(found, name) == rows[name][-1]


def test_a_member_that_says_what_is_new_need_not_be_declared(home: Path) -> None:
    (home / "rows.jsonl").write_text('{"id": 1, "changed": 5}\n{"id": 2, "changed": 7, "x": 1}\n')
    rows = read_source(reading(home, json=f"{home}/rows.jsonl", since="changed"))
    assert (rows.column_names, newest(rows, "changed")) == (["id", "changed"], 7)


def test_rows_that_validation_took_out_again_are_read_again(home: Path) -> None:
    source, add = _parquet(home)
    use_case = reading(home, **source, since="moment")
    add(made_rows(40))
    with open_workspace(use_case) as workspace:
        first = ingest(workspace, Rehearsal()).result
        add(made_rows(60)[40:])
        ingest(workspace, Rehearsal())
        workspace.tables.restore("raw", first.raw.version)
        assert ingest(workspace, Rehearsal()).result.rows_read == 60
