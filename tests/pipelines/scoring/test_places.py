"""Where rows for answers are, by address or as a use case declares it."""

from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from pipelines.scoring.places import place_of_rows
from tests.support import batch


def declaring(home: Path, source: str) -> UseCase:
    return parse_use_case(
        f"{batch.DECLARED}batch: {{source: {{{source}}}, target: out/}}\n", "orders.yaml", home
    )


def test_a_declared_table_is_read_at_the_version_that_is_asked_for(home: Path) -> None:
    place = place_of_rows("", "3", declaring(home, "delta: {path: lake}"))
    assert place.delta is not None
    assert (place.delta.path, place.delta.version) == (f"{home}/lake", 3)
    assert place_of_rows("", "3", declaring(home, "table: raw")).table == "raw"


@pytest.mark.parametrize(
    ("asked", "version", "said"),
    [
        ("", "3", r"source_version: only tables have versions, and .*rows\.parquet is none"),
        ("rows.csv", "3", r"source_version: only tables have versions, and .*rows\.csv is none"),
        ("raw", "new", "source_version: a whole number is needed, found 'new'"),
    ],
)
def test_a_version_is_the_number_of_a_table(
    home: Path, asked: str, version: str, said: str
) -> None:
    use_case = declaring(home, "parquet: rows.parquet")
    with pytest.raises(BadInput, match=said):
        place_of_rows(asked, version, use_case)
