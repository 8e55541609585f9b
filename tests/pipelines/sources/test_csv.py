from pathlib import Path

import pandas as pd

from pipelines.sources import csv
from tests.conftest import made_rows
from tests.support.sources import reading


def test_a_cell_of_a_large_file_may_hold_line_breaks(home: Path) -> None:
    rows = (
        made_rows(1)
        .drop(columns="colour")
        .merge(pd.DataFrame({"colour": [f"a\n{n}\u2028b" for n in range(50_000)]}), how="cross")
    )
    rows.to_csv(home / "rows.csv", index=False)
    table = csv.read(reading(home, csv=str(home / "rows.csv")))
    assert table.column("colour").to_pylist() == rows["colour"].tolist()


def test_text_keeps_its_zeros_and_an_empty_cell_is_null(home: Path) -> None:
    (home / "rows.csv").write_text("id,colour,size\n1,007,\n2,,3\n")
    table = csv.read(reading(home, csv=str(home / "rows.csv")))
    assert table.column("colour").to_pylist() == ["007", None]
    assert table.column("size").to_pylist() == [None, 3]
