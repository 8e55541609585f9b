"""Use cases that read their rows from one source or another."""

from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine

from contract.use_case.model import UseCase
from contract.use_case.sections.source import Source
from tests.conftest import made_use_case


def reading(home: Path, **source: object) -> UseCase:
    return made_use_case(home, {"source": Source.model_validate({"folder": str(home), **source})})


def write_sql(rows: pd.DataFrame, url: str, table: str = "rows") -> None:
    engine = create_engine(url)
    rows.to_sql(table, engine, index=False, if_exists="append")
    engine.dispose()
