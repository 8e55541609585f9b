from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from contract.use_case.sections.source import Delta
from pipelines.sources import delta
from tests.conftest import made_rows
from tests.support.sources import reading


def test_a_named_version_is_read(home: Path) -> None:
    address = str(home / "delta")
    for n_rows in (20, 50):
        write_deltalake(address, made_rows(n_rows), mode="overwrite")
    first, newest = (
        delta.read(reading(home, delta=Delta(path=address, version=version)))
        for version in (0, None)
    )
    assert (first.num_rows, newest.num_rows) == (20, 50)


def test_a_table_without_a_wanted_column_has_none(home: Path) -> None:
    write_deltalake(home / "delta", pa.table({"other": [1]}))
    assert delta.read(reading(home, delta=Delta(path=str(home / "delta")))).num_columns == 0
