"""What is read is what was written: format by type, with what is odd about each.

A format writes values of a type in its own way; a new one is a line in FORMATS. What a format can't
write it leaves out by name.
"""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from contract.errors import FourcycleError
from contract.store.schema import TYPES, ConformedRows, conform
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import Csv, Delta
from pipelines.sources.registry import read_source
from tests.support.sources import reading

NATURAL = {**TYPES, "local": pa.timestamp("us")}
VALUES: dict[str, list[Any]] = {
    "string": [
        *("NA", "null", "nan", "None", "#N/A", "007", "", " b ", 'a "b", c', "two\nlines"),
        *("a\u2028b", "\u00e9\u4e2d\U0001f600", "-", "1e5", "true", "x" * 70_000, None),
    ],
    "integer": [2**63 - 1, -(2**63), 2**53 + 1, 0, None],
    "number": [0.1, -0.0, 1e308, 5e-324, float(2**53), None],
    "boolean": [True, False, None],
    "timestamp": [
        datetime(2024, 7, 1, 12, 0, 0, 1, tzinfo=UTC),
        datetime(1850, 1, 1, tzinfo=UTC),
        datetime(2250, 7, 1, tzinfo=UTC),
        None,
    ],
    # Without an offset: five hours behind UTC in winter, four in summer.
    "local": [datetime(2024, 1, 1), datetime(2024, 7, 1, 12, 30), None],
}
OFFSETS = [timedelta(hours=5), timedelta(hours=4)]


def as_csv(home: Path, values: list[Any], kind: str) -> dict[str, Any]:
    def text(value: Any) -> str | None:
        return value.isoformat() if isinstance(value, datetime) else value

    with (home / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL)
        writer.writerow(["n", "x"])
        for n, value in enumerate(values):
            if value == "":  # the module writes it like none
                file.write(f'{n},""\r\n')
            else:
                writer.writerow([n, text(value)])
    return {"csv": Csv(path=str(home / "rows.csv"))}


def as_table(values: list[Any], kind: str) -> pa.Table:
    return pa.table({"n": range(len(values)), "x": pa.array(values, NATURAL[kind])})


def as_parquet(home: Path, values: list[Any], kind: str) -> dict[str, Any]:
    pq.write_table(as_table(values, kind), home / "rows.parquet", row_group_size=2)
    return {"parquet": str(home / "rows.parquet")}


def as_delta(home: Path, values: list[Any], kind: str) -> dict[str, Any]:
    write_deltalake(str(home / "delta"), as_table(values, kind))
    return {"delta": Delta(path=str(home / "delta"))}


def as_loader(home: Path, answer: str) -> dict[str, Any]:
    name = f"loader_of_{home.name}"
    (home / f"{name}.py").write_text(
        "import pandas as pd, pyarrow as pa, pyarrow.parquet as pq\n"
        "from datetime import *\n"
        f"def load():\n    {answer}\n"
    )
    return {"python": f"{name}:load"}


def as_arrow(home: Path, values: list[Any], kind: str) -> dict[str, Any]:
    as_parquet(home, values, kind)
    return as_loader(home, f"return pq.read_table({str(home / 'rows.parquet')!r})")


def as_objects(home: Path, values: list[Any], kind: str) -> dict[str, Any]:
    frame = f"{{'n': range({len(values)}), 'x': pd.read_pickle(path)}}"
    pd.Series(values, dtype=object).to_pickle(home / "values.pickle")
    return as_loader(home, f"path = {str(home / 'values.pickle')!r}; return pd.DataFrame({frame})")


def as_extension(home: Path, values: list[Any], kind: str) -> dict[str, Any]:
    dtypes = {"string": "string", "integer": "Int64", "number": "Float64", "boolean": "boolean"}
    pd.Series(values, dtype=dtypes[kind]).to_pickle(home / "values.pickle")
    frame = f"{{'n': range({len(values)}), 'x': pd.read_pickle(path)}}"
    return as_loader(home, f"path = {str(home / 'values.pickle')!r}; return pd.DataFrame({frame})")


FORMATS: dict[str, tuple[Callable[[Path, list[Any], str], dict[str, Any]], set[str]]] = {
    "csv": (as_csv, set()),
    "parquet": (as_parquet, set()),
    "delta": (as_delta, {"local"}),
    "arrow": (as_arrow, set()),
    "objects": (as_objects, set()),
    "extension": (as_extension, {"timestamp", "local"}),
}
CASES = [(form, kind) for form in FORMATS for kind in VALUES if kind not in FORMATS[form][1]]


def declared(home: Path, source: dict[str, Any], **column: Any) -> UseCase:
    columns = {"n": Column(type="integer"), "x": Column(nullable=True, **column)}
    changes = {"columns": columns, "time_zone": "America/New_York", "event_time": None}
    return reading(home, **source).model_copy(update=changes)


def read(use_case: UseCase) -> ConformedRows:
    return conform(read_source(use_case), use_case)


@pytest.mark.parametrize(("form", "kind"), CASES)
def test_what_is_read_is_what_was_written(home: Path, form: str, kind: str) -> None:
    write, values = FORMATS[form][0], VALUES[kind]
    column = "timestamp" if kind == "local" else kind
    found = read(declared(home, write(home, values, kind), type=column))
    assert found.complete, found.retyped
    expected = values
    if kind == "local":
        moments = (v.replace(tzinfo=UTC) + at for v, at in zip(values, OFFSETS, strict=False))
        expected = [*moments, None]
    rows = found.table.sort_by("n").column("x").to_pylist()
    assert rows == expected
    assert [*map(repr, rows)] == [*map(repr, expected)] or column == "timestamp"


FRAMES: list[tuple[str, dict[str, Any], str, list[Any]]] = [
    ("codes", {"type": "string"}, "['02134', None, float('nan'), pd.NA]", ["02134"] + [None] * 3),
    ("categories", {"type": "string"}, "pd.Categorical(['a', None, 'b'])", ["a", None, "b"]),
    ("sparse numbers", {"type": "number"}, "pd.arrays.SparseArray([0.0, 1.5])", [0.0, 1.5]),
    ("floats of integers", {"type": "integer"}, "[1.0, None]", [1, None]),
    (
        "seconds",
        {"type": "timestamp", "unit": "s"},
        "[1700000000, None]",
        [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), None],
    ),
    (
        "nanoseconds",
        {"type": "timestamp", "unit": "ns"},
        "pd.array([1700000000000000000], 'Int64')",
        [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)],
    ),
    ("days", {"type": "timestamp"}, "[date(2024, 7, 1)]", [datetime(2024, 7, 1, 4, tzinfo=UTC)]),
]


@pytest.mark.parametrize(("_", "column", "cells", "values"), FRAMES)
def test_a_frame_is_read_exactly(
    home: Path, _: str, column: dict[str, Any], cells: str, values: list[Any]
) -> None:
    answer = f"x = {cells}; return pd.DataFrame({{'n': range(len(x)), 'x': x}})"
    found = read(declared(home, as_loader(home, answer), **column))
    assert found.complete, found.retyped
    assert found.table.column("x").to_pylist() == values


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        ("string", "['02134', 2134, None]", "found str, and in row 1 int; one type is needed"),
        ("string", "['a', 'b\\udc00']", r"no Unicode \(a lone surrogate\), first in row 1"),
        ("string", "[object()]", "found object, which no table holds"),
        ("boolean", "[None, True, 1]", "found bool, and in row 2 int"),
        ("integer", "[2**64]", "found integers beyond 64 bits"),
        ("string", "[2134]", "string expected, found int64"),
        ("integer", "[9007199254740994.0, None]", "floats from 2.53 on, whose last digits are"),
        ("integer", "[timedelta(1)]", "integer expected, found duration"),
        ("integer", "[date(2024, 1, 1)]", "integer expected, found date32"),
        ("integer", "pd.array([2**64 - 1], 'UInt64')", "uint64"),
        ("number", "[{}]", "number expected, found struct"),
        ("number", "['1.5']", "number expected, found string"),
        ("boolean", "[0, 1]", "boolean expected, found int64"),
        ("timestamp", "[1700000000]", "if times are numbers .Unix time., declare unit: s, ms"),
        ("timestamp", "[1700000000.5]", "if times are numbers .Unix time., declare unit: s, ms"),
        (
            "timestamp",
            "pd.period_range('2024', periods=2)",
            "found period.D., which is no single",
        ),
        ("timestamp", "['yesterday']", "row 0: timestamp expected, found text"),
        ("timestamp", "[datetime(2024, 3, 10, 2, 30)]", "row 0: the clock of America/New_York"),
        (
            "timestamp",
            "pd.Series([datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1)], dtype=object)",
            "found a time with a zone, and in row 1 a time without a zone; one type is needed",
        ),
        (
            "timestamp",
            "pd.Series([date(2024, 1, 1), None, datetime(2024, 1, 1, 5)], dtype=object)",
            "found a date, and in row 2 a time without a zone; one type is needed",
        ),
        (
            "timestamp",
            "pd.Series([pd.Timestamp('2024-01-01T00:00:00.000000001')], dtype=object)",
            "row 0: found a time finer than a microsecond",
        ),
        ("timestamp", "pd.array([10**12], 'Int64').astype('M8[s]')", "row 0: .* the years 1 to"),
        (
            "timestamp",
            "pd.to_datetime(['2024-01-01T00:00:00.000000001'])",
            r"timestamp\[ns\] with times finer than a microsecond",
        ),
        ("number", "[2**53 + 1]", "int64 beyond 2.53, whose last digits a number loses"),
        ("integer", "[2.5]", "double with a fraction"),
    ],
)
def test_what_is_not_exact_is_refused_by_name(
    home: Path, column: str, cells: str, said: str
) -> None:
    answer = f"x = {cells}; return pd.DataFrame({{'n': range(len(x)), 'x': x}})"
    found = read(declared(home, as_loader(home, answer), type=column))
    assert re.search(said, found.retyped["x"])


def test_a_time_that_is_no_moment_is_null_where_none_may_be(home: Path) -> None:
    times = [datetime(2024, 3, 10, 2, 30), datetime(2024, 3, 10, 3, 30)]
    for write in (as_csv, as_parquet):
        use_case = declared(home, write(home, times, "local"), type="timestamp")
        strict = use_case.columns | {"x": Column(type="timestamp")}
        found = read(use_case.model_copy(update={"columns": strict}))
        assert found.complete
        assert found.table.column("x").to_pylist() == [
            None,
            datetime(2024, 3, 10, 7, 30, tzinfo=UTC),
        ]


def test_two_columns_of_one_name_are_named(home: Path) -> None:
    for names in (["n", "x", "X"], ["n", "x", "x"]):
        (home / "rows.csv").write_text(",".join(names) + "\n1,2,3\n")
        with pytest.raises(FourcycleError, match=r"'x' and '[xX]' are one name to a table"):
            read(declared(home, {"csv": Csv(path=str(home / "rows.csv"))}, type="integer"))
    answer = "return pd.DataFrame([[1, 2, 3]], columns=['n', 'x', 'x'])"
    with pytest.raises(FourcycleError, match="'x' and 'x' are one name to a table"):
        read(declared(home, as_loader(home, answer), type="integer"))


def test_nothing_of_a_random_frame_changes(home: Path) -> None:
    random = np.random.default_rng(0)
    floats = random.normal(size=1000) * 10.0 ** random.integers(-300, 300, 1000)
    for form in ("csv", "parquet"):
        use_case = declared(home, FORMATS[form][0](home, floats.tolist(), "number"), type="number")
        assert read(use_case).table.column("x").to_pylist() == floats.tolist()
