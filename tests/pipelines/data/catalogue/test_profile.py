"""Profiles and differences of tables against figures that pandas computes of the same rows."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient

from contract.errors import BadInput
from contract.store.tables import Tables
from contract.use_case.sections.column import Column
from pipelines.data.catalogue.difference import difference
from pipelines.data.catalogue.known import KnownUseCase
from pipelines.data.catalogue.meaning import ColumnMeaning, meanings
from pipelines.data.catalogue.page import datasets_page
from pipelines.data.catalogue.printing import show
from pipelines.data.catalogue.profile import MASK, ColumnProfile, masked, profile, profile_of
from tests.conftest import made_rows, made_use_case

SECRET = "a person's colour"


@pytest.fixture
def rows() -> pd.DataFrame:
    rows = made_rows(300)
    rows.loc[::7, "size"] = np.nan
    return rows.astype({"moment": "datetime64[us, UTC]"})  # as the pipeline writes it


@pytest.fixture
def known(home: Path) -> KnownUseCase:
    """The made use case, in which colours are personal."""
    made = made_use_case(home)
    personal = Column(type="string", personal=True, description=SECRET)
    columns = {**made.columns, "colour": personal}
    return KnownUseCase("made", made.model_copy(update={"columns": columns}))


@pytest.fixture
def tables(home: Path, rows: pd.DataFrame) -> Tables:
    tables = Tables(str(home / "data"), "made")
    tables.append("training", pa.Table.from_pandas(rows, preserve_index=False))
    return tables


def profiled(tables: Tables, known: KnownUseCase) -> dict[str, ColumnProfile]:
    columns = meanings("training", tables.schema("training"), known)
    return {column.name: column for column in profile(tables, "training", columns)}


def test_figures_are_those_of_pandas(
    tables: Tables, known: KnownUseCase, rows: pd.DataFrame
) -> None:
    found, size = profiled(tables, known), rows["size"]
    assert (found["size"].rows, found["size"].nulls) == (300, size.isna().sum())
    assert found["size"].null_share == pytest.approx(size.isna().mean())
    assert found["size"].distinct == size.nunique()
    assert (found["size"].low, found["size"].high) == (size.min(), size.max())
    assert found["size"].mean == pytest.approx(size.mean())
    assert found["size"].deviation == pytest.approx(size.std())
    quartiles = size.quantile([0.25, 0.5, 0.75]).tolist()
    assert found["size"].quartiles == pytest.approx(quartiles)
    counts, _ = np.histogram(size.dropna(), bins=12)
    assert found["size"].bars == tuple(counts)
    groups = Counter(rows["group"]).most_common(1)[0]
    assert found["group"].common[0] == groups
    assert sum(found["moment"].bars) == 300
    assert found["moment"].low == rows["moment"].min().isoformat()
    assert found["late"].common == tuple(
        (str(value), n) for value, n in rows["late"].value_counts().items()
    )


def test_of_personal_columns_only_counts_are_told(
    tables: Tables, known: KnownUseCase, rows: pd.DataFrame
) -> None:
    colour = profiled(tables, known)["colour"]
    assert (colour.masked, colour.rows, colour.distinct) == (True, 300, 3)
    assert (colour.common, colour.low, colour.high, colour.mean) == ((), None, None, None)
    read = tables.read("training").slice(0, 5)
    shown = masked(read, meanings("training", read.schema, known))
    assert shown.column("colour").to_pylist() == [MASK] * 5
    assert shown.column("size").equals(read.column("size"))
    blank = pa.table({"colour": pa.array([None, "red"])})
    assert masked(blank, meanings("training", blank.schema, known)).column(0).to_pylist() == [
        None,
        MASK,
    ]


def test_where_nothing_is_declared_any_column_may_be_personal() -> None:
    schema = pa.schema([("name", pa.string()), ("latency_ms", pa.float64())])
    answers = meanings("predictions", schema, KnownUseCase("lost"))
    assert [column.personal for column in answers] == [True, False]
    # A stranger's column may have the name of one of ours.
    rows = meanings("raw", schema, KnownUseCase("lost"))
    assert [column.personal for column in rows] == [True, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([], pa.float64()), {"rows": 0, "low": None, "bars": ()}),
        (pa.array([None, None], pa.int64()), {"nulls": 2, "distinct": 0, "mean": None}),
        (pa.array([5.0]), {"low": 5.0, "deviation": None, "bars": ()}),
        (pa.array([1.0, float("inf"), float("nan")]), {"odd": 2, "high": 1.0}),
        (pa.array([2**60, 2**60 + 1]), {"rows": 2, "distinct": 2}),
        (pa.array([[1], [2, 3]]), {"rows": 2, "distinct": None}),
        (pa.array(["x" * 500] * 2), {"common": (("x" * 59 + "…", 2),)}),
    ],
    ids=["empty", "all null", "one", "odd", "large", "nested", "long"],
)
def test_any_column_has_a_profile(values: pa.Array, expected: dict[str, object]) -> None:
    found = profile_of("x", pa.chunked_array([values]), personal=False)
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_difference_counts_rows_by_their_keys(
    tables: Tables, known: KnownUseCase, rows: pd.DataFrame
) -> None:
    newer = rows.iloc[10:].copy()
    newer.loc[newer["id"].isin([20, 21]), "group"] = "z"
    newer.loc[newer["id"] == 22, "size"] = 99.0
    newer.loc[newer["id"] == 23, "colour"] = None
    more = rows.iloc[:5].assign(id=range(1000, 1005))
    now = pd.concat([newer, more])
    tables.overwrite("training", pa.Table.from_pandas(now, preserve_index=False))
    found = difference(tables, "training", known, after=None, before=None)
    assert (found.rows_before, found.rows_after) == (300, 295)
    assert (found.added, found.removed, found.changed) == (5, 10, 4)
    columns = {column.name: column for column in found.columns}
    assert [columns[n].changed for n in ("group", "size", "colour", "late")] == [2, 1, 1, 0]
    assert columns["colour"].nulls_after == 1
    assert columns["size"].mean_before == pytest.approx(rows["size"].mean())
    assert columns["size"].mean_after == pytest.approx(now["size"].mean())
    assert columns["colour"].mean_before is None
    assert found.document()["keys"] == ("id",)


def test_columns_that_came_or_went_and_rows_without_keys_are_told(
    tables: Tables, known: KnownUseCase, rows: pd.DataFrame, capfd: pytest.CaptureFixture[str]
) -> None:
    changed = pd.concat([rows, rows]).drop(columns="group").assign(hue="red", late="yes")
    tables.overwrite("training", pa.Table.from_pandas(changed, preserve_index=False))
    found = difference(tables, "training", known, after=None, before=None)
    assert (found.columns_added, found.columns_removed) == (("hue",), ("group",))
    assert found.columns_retyped == ("late",)
    assert (found.keys, found.added, found.changed) == ((), None, None)
    show("diff", "made", "training", found.document())
    said = capfd.readouterr().err
    for line in ("Rows can't be paired: no key", "columns added: hue", "columns removed: group"):
        assert line in said
    first = tables.version("training") - 1
    with pytest.raises(BadInput, match="no version before"):
        difference(tables, "training", known, after=0, before=None)
    with pytest.raises(BadInput, match="has no version 77"):
        difference(tables, "training", known, after=77, before=first)


def test_a_table_with_no_column_of_before_has_none_to_compare(
    tables: Tables, known: KnownUseCase
) -> None:
    tables.overwrite("training", pa.table({"hue": ["red"]}))
    found = difference(tables, "training", known, after=None, before=None)
    assert (found.columns, found.columns_added) == ((), ("hue",))


def test_meanings_say_role_and_what_is_allowed(tables: Tables, known: KnownUseCase) -> None:
    found = {c.name: c for c in meanings("training", tables.schema("training"), known)}
    assert {name: c.role for name, c in found.items() if c.role != "input"} == {
        "id": "key",
        "moment": "event time",
        "late": "target",
    }
    assert found["size"].allowed == "-10 to 10"
    assert found["colour"] == ColumnMeaning(
        "colour", "string", "", SECRET, "input", False, "", True
    )


def test_the_page_masks_what_is_personal_and_profiles_no_large_table(
    stored: Path, tables: Tables, known: KnownUseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, now = MlflowClient(f"sqlite:///{stored}/mlflow.db"), datetime.now(UTC)
    shown = datasets_page(known, tables, ["training"], client, now, "/")
    assert (shown.count("personal: masked"), ", median " in shown) == (1, True)
    monkeypatch.setattr("pipelines.data.catalogue.page.PROFILED_ROWS", 100)
    large = datasets_page(known, tables, ["training"], client, now, "/")
    assert ("personal: masked" in large, ", median " in large) == (False, False)
    assert "colour" in large
