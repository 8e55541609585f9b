"""The first rows of each kind of source: as its reader reads them, without reading all of it."""

import gzip
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from contract.errors import BadInput
from contract.use_case.model import UseCase
from contract.use_case.sections.source import Csv, Delta, Source, Sql
from pipelines.sources import first_rows as module
from pipelines.sources.first_rows import first_rows
from pipelines.sources.registry import read_source
from tests.conftest import made_rows, made_use_case

N_ROWS = 500
Make = Callable[[Path, pd.DataFrame], Source]


def csv(folder: Path, rows: pd.DataFrame) -> Source:
    rows.to_csv(folder / "rows.csv", index=False)
    return Source(csv=Csv(path=str(folder / "rows.csv")))


def parquet(folder: Path, rows: pd.DataFrame) -> Source:
    rows.to_parquet(folder / "rows.parquet")
    return Source(parquet=str(folder / "rows.parquet"))


def parquet_folder(folder: Path, rows: pd.DataFrame) -> Source:
    (folder / "parts").mkdir()
    rows[:300].to_parquet(folder / "parts" / "a.parquet")
    rows[300:].to_parquet(folder / "parts" / "b.parquet")
    return Source(parquet=str(folder / "parts"))


def delta(folder: Path, rows: pd.DataFrame) -> Source:
    write_deltalake(folder / "delta", pa.Table.from_pandas(rows))
    return Source(delta=Delta(path=str(folder / "delta")))


def sql(folder: Path, rows: pd.DataFrame) -> Source:
    with sqlite3.connect(folder / "rows.db") as database:
        rows.astype({"moment": str}).to_sql("t", database, index=False)
    database.close()
    return Source(sql=Sql(url=f"sqlite:///{folder}/rows.db", query="SELECT * FROM t"))


def of(home: Path, make: Make, rows: pd.DataFrame | None = None) -> UseCase:
    source = make(home, made_rows(N_ROWS) if rows is None else rows)
    return made_use_case(home, {"source": source})


@pytest.mark.parametrize("make", [csv, parquet, parquet_folder, delta, sql])
def test_the_first_rows_are_those_of_the_reader(home: Path, make: Make) -> None:
    use_case = of(home, make)
    found = first_rows(use_case, 20)
    whole = read_source(use_case)
    assert not found.read_whole
    assert found.table.num_rows == 20
    assert found.table.column_names == whole.column_names
    ids = found.table.column("id").to_pylist()
    assert set(ids) <= set(whole.column("id").to_pylist())
    assert len(set(ids)) == 20
    assert found.total == (None if make is sql else N_ROWS)


@pytest.mark.parametrize("make", [csv, parquet, delta, sql])
def test_all_rows_where_there_are_fewer(home: Path, make: Make) -> None:
    found = first_rows(of(home, make), 10_000)
    assert (found.table.num_rows, found.total) == (N_ROWS, N_ROWS)


def test_a_long_file_is_cut_at_the_end_of_a_row(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the length of what is read, no row is half there: cells hold line breaks."""
    rows = made_rows(60).assign(group=[f'"a", {i}\nb' for i in range(60)])
    use_case = of(home, csv, rows)
    whole = read_source(use_case)
    for length in range(300, 1100, 7):
        monkeypatch.setattr(module, "HEAD_BYTES", length)
        found = first_rows(use_case, 1000)
        n_rows = found.table.num_rows
        assert found.table.column("group") == whole.column("group").slice(0, n_rows)
        assert found.total is not None
        assert n_rows > 0
        assert 40 < found.total < 90


def test_a_file_whose_head_holds_no_whole_line_is_read_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = of(home, csv, made_rows(60).assign(group="a" * 500))
    for n_bytes in (30, 400):  # within the names, and within the first row
        monkeypatch.setattr(module, "HEAD_BYTES", n_bytes)
        found = first_rows(use_case, 20)
        assert (found.table.num_rows, found.total, found.read_whole) == (20, 60, True)


def test_a_sign_of_inches_hides_no_rows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_case = of(home, csv, made_rows(60))
    lines = (home / "rows.csv").read_text().splitlines()
    lines[1] += ' 5" wide'
    (home / "rows.csv").write_text("\n".join(lines))
    monkeypatch.setattr(module, "HEAD_BYTES", 1000)
    found = first_rows(use_case, 20)
    assert (found.table.num_rows, found.total, found.read_whole) == (20, 60, True)


def test_what_has_no_shorter_way_is_read_whole(home: Path) -> None:
    rows = made_rows(N_ROWS).to_csv(index=False).encode()
    (home / "rows.csv.gz").write_bytes(gzip.compress(rows))
    zipped = made_use_case(home, {"source": Source(csv=Csv(path=str(home / "rows.csv.gz")))})
    loader = made_use_case(home, {"source": Source(python="use_cases.penguins:load")})
    duckdb.connect(str(home / "rows.duckdb")).close()
    query = Sql(url="duckdb:///rows.duckdb", query="SELECT range AS id FROM range(300)")
    queried = made_use_case(home, {"source": Source(sql=query, folder=str(home))})
    for use_case, total in ((zipped, N_ROWS), (loader, 344), (queried, 300)):
        found = first_rows(use_case, 20)
        assert (found.table.num_rows, found.total, found.read_whole) == (20, total, True)


@pytest.mark.parametrize(
    "source",
    [
        Source(csv=Csv(path="/nowhere/rows.csv")),
        Source(parquet="/nowhere/rows.parquet"),
        Source(delta=Delta(path="/nowhere")),
        Source(sql=Sql(url="sqlite://", query="SELECT * FROM nowhere")),
    ],
    ids=lambda source: source.kind,
)
def test_what_is_wrong_with_a_source_its_reader_says(home: Path, source: Source) -> None:
    use_case = made_use_case(home, {"source": source})
    with pytest.raises(BadInput) as by_reader:
        read_source(use_case)
    with pytest.raises(BadInput) as refused:
        first_rows(use_case, 20)
    assert str(refused.value) == str(by_reader.value)
