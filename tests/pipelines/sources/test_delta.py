from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from contract.errors import BadInput, Unavailable
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


def test_what_is_in_the_way_of_a_table_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(path: str, version: int | None = None) -> str:
        with pytest.raises((BadInput, Unavailable)) as refused:
            delta.opened(reading(home, delta=Delta(path=path, version=version)))
        return f"{type(refused.value).__name__}: {refused.value}"

    address = str(home / "delta")
    assert said(address) == f"BadInput: source.delta: no Delta table at {address}."
    for _ in range(2):
        write_deltalake(address, made_rows(20), mode="append")
    missing = f"BadInput: source.delta: {address} has no version {{}}; newest: 1."
    assert said(address, 7) == missing.format(7)
    DeltaTable(address).create_checkpoint()
    log = home / "delta/_delta_log"
    (log / f"{0:020}.json").unlink()  # as upkeep does after its time
    assert said(address, 0) == missing.format(0)
    (log / "_last_checkpoint").unlink()
    (log / f"{1:020}.checkpoint.parquet").unlink()
    (log / f"{1:020}.json").write_text("no JSON")
    assert said(address).startswith(f"BadInput: source.delta: {address} can't be read: ")
    assert "unknown>" not in said(address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    away = said("s3://bucket/delta", 3)
    assert away.startswith("Unavailable: source.delta: the store of s3://bucket/delta does not")
