from pathlib import Path

import pandas as pd
import pytest

from contract.errors import Unavailable
from contract.store.schema import conform
from contract.use_case.sections.source import Sql
from pipelines.sources import sql
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


def test_a_database_that_does_not_answer_is_away(home: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    with pytest.raises(Unavailable, match="did not answer"):
        sql.read(reading(home, sql=Sql(url=url, query="select 1")))
