from pathlib import Path

import pandas as pd
import pytest
from deltalake import write_deltalake
from sqlalchemy import create_engine

from contract.errors import BadInput, Unavailable
from contract.store.schema import conform
from contract.use_case.model import Delta, Source, Sql, UseCase
from pipelines.data.sources import read_source
from tests.conftest import deliver, made_rows, made_use_case

LOADER = "import pandas as pd\ndef load():\n    return pd.read_parquet(r'{path}')\n"


def reading(home: Path, **source: object) -> UseCase:
    return made_use_case(home, {"source": Source.model_validate({"folder": str(home), **source})})


def write_sql(rows: pd.DataFrame, url: str) -> None:
    engine = create_engine(url)
    rows.to_sql("rows", engine, index=False)
    engine.dispose()


@pytest.fixture
def sources(home: Path) -> dict[str, UseCase]:
    rows = made_rows(50)
    deliver(home, rows)
    rows.to_parquet(home / "rows.parquet")
    write_sql(rows, f"sqlite:///{home}/rows.db")
    write_deltalake(str(home / "delta"), rows)
    (home / "made_loader.py").write_text(LOADER.format(path=home / "rows.parquet"))
    query = (
        "select id, moment || 'Z' as moment, late = 1 as late, colour, size, \"group\" from rows"
    )
    return {
        "csv": reading(home, csv=str(home / "rows.csv")),
        "parquet": reading(home, parquet=str(home / "rows.parquet")),
        "sql": reading(home, sql=Sql(url=f"sqlite:///{home}/rows.db", query=query)),
        "delta": reading(home, delta=Delta(path=str(home / "delta"))),
        "python": reading(home, python="made_loader:load"),
    }


@pytest.mark.parametrize("kind", ["csv", "parquet", "delta", "python"])
def test_every_source_gives_the_same_rows(sources: dict[str, UseCase], kind: str) -> None:
    conformed = conform(read_source(sources[kind]), sources[kind])
    found = conformed.table.sort_by("id").to_pandas()
    assert conformed.complete
    pd.testing.assert_frame_equal(found, made_rows(50), check_dtype=False, check_exact=False)


def test_a_cell_of_a_large_csv_file_may_hold_line_breaks(home: Path) -> None:
    rows = (
        made_rows(1)
        .drop(columns="colour")
        .merge(pd.DataFrame({"colour": [f"a\n{n}\u2028b" for n in range(50_000)]}), how="cross")
    )
    rows.to_csv(home / "rows.csv", index=False)
    found = read_source(reading(home, csv=str(home / "rows.csv")))
    assert found.column("colour").to_pylist() == rows["colour"].tolist()


def test_sql_reads_by_query(sources: dict[str, UseCase]) -> None:
    found = read_source(sources["sql"])
    assert found.num_rows == 50
    assert set(found.column_names) == set(made_rows(1))


def test_sql_reads_from_postgresql(home: Path, postgresql: str) -> None:
    write_sql(made_rows(50), postgresql)
    use_case = reading(home, sql=Sql(url=postgresql, query="select * from rows order by id"))
    conformed = conform(read_source(use_case), use_case)
    assert conformed.complete
    found = conformed.table.to_pandas()
    pd.testing.assert_frame_equal(found, made_rows(50), check_dtype=False, check_exact=False)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"csv": "/nowhere.csv"}, "/nowhere.csv"),
        ({"parquet": "/nowhere.parquet"}, "/nowhere.parquet"),
        ({"python": "nowhere:load"}, "nowhere"),
        ({"python": "math:sqrt2"}, "sqrt2"),
        ({"delta": {"path": "/nowhere"}}, "/nowhere"),
        ({"delta": {"path": "/no%20where"}}, "for Delta reads .%20. in a path"),
        ({"sql": {"url": "sqlite://", "query": "select * from absent"}}, "absent|no such table"),
        ({"sql": {"url": "nodb://x", "query": "select 1"}}, "nodb"),
        ({"sql": {"url": "${ABSENT_URL}", "query": "select 1"}}, "ABSENT_URL"),
    ],
)
def test_a_source_that_is_not_there_is_named(
    home: Path, source: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        read_source(reading(home, **source))


def test_a_database_that_does_not_answer_is_away(home: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    with pytest.raises(Unavailable, match="did not answer"):
        read_source(reading(home, sql=Sql(url=url, query="select 1")))
