import gc
from pathlib import Path

import pandas as pd
import pytest

from contract.errors import BadInput, Unavailable
from contract.store.schema import conform
from contract.use_case.sections.source import Sql
from pipelines.sources import sql
from pipelines.sources.newer import Newer
from tests.conftest import made_rows
from tests.support.sources import reading, write_sql


def test_the_answer_of_the_query_is_read(home: Path) -> None:
    write_sql(made_rows(50), f"sqlite:///{home}/rows.db")
    query = (
        "select id, moment || 'Z' as moment, late = 1 as late, colour, size, \"group\" from rows"
    )
    table = sql.read(reading(home, sql=Sql(url=f"sqlite:///{home}/rows.db", query=query)))
    assert table.num_rows == 50
    assert set(table.column_names) == set(made_rows(1))


def test_postgresql_gives_the_declared_types(home: Path, postgresql: str) -> None:
    write_sql(made_rows(50), postgresql)
    use_case = reading(home, sql=Sql(url=postgresql, query="select * from rows order by id"))
    conformed = conform(sql.read(use_case), use_case)
    assert conformed.complete
    frame = conformed.table.to_pandas()
    pd.testing.assert_frame_equal(frame, made_rows(50), check_dtype=False, check_exact=False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_goes_away_meanwhile_is_away(home: Path, postgresql: str) -> None:
    query = "select pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(Unavailable, match="the database went away"):
        sql.read(reading(home, sql=Sql(url=postgresql, query=query)))
    gc.collect()  # of a connection that was cut off psycopg warns that its cursor is open


def test_text_says_what_is_new_in_sqlite_alone(home: Path, postgresql: str) -> None:
    use_case = reading(home, sql=Sql(url=postgresql, query="select 'b' as word"), since="word")
    with pytest.raises(BadInput, match=r"source\.since: word is text, which databases order"):
        sql.read(use_case, Newer("word", "a"))


def test_a_database_that_does_not_answer_is_away(home: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    with pytest.raises(Unavailable, match="did not answer"):
        sql.read(reading(home, sql=Sql(url=url, query="select 1")))
