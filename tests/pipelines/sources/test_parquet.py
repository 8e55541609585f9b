from pathlib import Path

from pipelines.sources import parquet
from tests.conftest import made_rows
from tests.support.sources import reading


def test_a_folder_of_files_is_one_table(home: Path) -> None:
    folder = home / "parts"
    folder.mkdir()
    for n, half in enumerate((made_rows(50)[:20], made_rows(50)[20:])):
        half.to_parquet(folder / f"part{n}.parquet")
    table = parquet.read(reading(home, parquet=str(folder)))
    assert sorted(table.column("id").to_pylist()) == sorted(made_rows(50)["id"])
