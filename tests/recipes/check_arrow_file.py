from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pytest

from contract.errors import BadInput
from contract.use_case.loader import parse_use_case
from pipelines.data.rehearsal import Rehearsal
from pipelines.ingest import ingest
from pipelines.runtime.workspace import open_workspace
from pipelines.sources.registry import read_source
from tests.conftest import MADE, made_rows

pytestmark = pytest.mark.usefixtures("stored")
TEXT = MADE.replace("csv: rows.csv", "arrow: rows.arrow")


def test_its_rows_are_ingested(home: Path) -> None:
    rows = pa.Table.from_pandas(made_rows(30), preserve_index=False)
    pyarrow.feather.write_feather(rows.append_column("else", [[1] * 30]), home / "rows.arrow")
    use_case = parse_use_case(TEXT, "made.yaml", home)
    assert use_case.source.kind == "arrow"
    assert read_source(use_case).equals(rows)
    with open_workspace(use_case) as workspace:
        ingest(workspace, Rehearsal())
        assert workspace.tables.read("raw").num_rows == 30


def test_a_file_that_is_not_there_is_named(home: Path) -> None:
    with pytest.raises(BadInput, match=r"rows\.arrow can't be read"):
        read_source(parse_use_case(TEXT, "made.yaml", home))
