"""What people look for is found by name, meaning, unit or owner, the nearest first."""

from pathlib import Path

import pyarrow as pa
import pytest

from contract.use_case.sections.column import Column
from pipelines.data.catalogue.known import KnownUseCase
from pipelines.data.catalogue.meaning import meanings
from pipelines.data.catalogue.search import CatalogueEntry, entries, found
from tests.conftest import made_use_case

FOUND = [
    ("wind", ["wind", "wind_gust", "size"]),
    ("WIND mph", ["wind_gust"]),
    ("made wind gust", ["wind_gust"]),
    ("training", ["", "wind", "wind_gust", "size"]),
    ("ann@example.org gust", ["wind_gust"]),
    ("nothing", []),
    ("  ", []),
]


@pytest.fixture
def among(home: Path) -> list[CatalogueEntry]:
    columns = {
        "wind": Column(type="number"),
        "wind_gust": Column(type="number", unit="mph", description="of a gust"),
        "size": Column(type="number", description="of the wind's mark"),
    }
    made = made_use_case(home, {"owner": "ann@example.org", "columns": columns})
    known = KnownUseCase("made", made)
    schema = pa.schema([(name, pa.float64()) for name in columns])
    return entries(known, "training", meanings("training", schema, known))


@pytest.mark.parametrize(("words", "columns"), FOUND)
def test_words_find_columns(among: list[CatalogueEntry], words: str, columns: list[str]) -> None:
    assert [entry.column for entry in found(words, among)] == columns
