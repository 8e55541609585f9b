"""A text is the same value, or refused, in every reader of CSV: source, batch, labels, HTTP."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.errors import FourcycleError
from contract.store.schema import conform
from contract.store.tables import Tables
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.data.label_rows import read_labels, statements
from pipelines.scoring.checked import check_part
from pipelines.scoring.places import place_of_rows
from pipelines.scoring.rows import open_rows
from pipelines.sources import csv
from serving.requests.columns import check
from serving.requests.errors import Problem
from serving.requests.tabular import csv_columns

NOW = datetime(2030, 1, 1, tzinfo=UTC)
REFUSED = "refused"


def declared(folder: Path, column: dict[str, Any], form: dict[str, Any]) -> UseCase:
    """A use case whose key `x` is the column, so that every reader reads it."""
    raw = {
        "name": "cells",
        "title": "One column",
        "task": "binary",
        "source": {"csv": {"path": "rows.csv"} | form},
        "time_zone": "America/New_York",
        "keys": ["id", "x"],
        "target": "y",
        "positive": True,
        "columns": {
            "id": {"type": "integer"},
            "x": {"nullable": True} | column,
            "y": {"type": "boolean", "nullable": True},
            "a": {"type": "integer"},
        },
        "split": {"by": "random"},
        "estimator": {"path": "sklearn.linear_model.LogisticRegression"},
        "evaluation": {"metric": "roc_auc"},
    }
    return parse_use_case(json.dumps(raw), "cells.yaml", folder)


def of_source(use_case: UseCase, folder: Path) -> Any:
    conformed = conform(csv.read(use_case), use_case)
    if conformed.retyped:
        return REFUSED
    return conformed.table.column("x")[0].as_py()


def of_batch(use_case: UseCase, folder: Path) -> Any:
    place = place_of_rows(str(folder / "rows.csv"), "", use_case)
    rows = open_rows(place, use_case, Tables(str(folder), "cells"), None)
    checked, _ = check_part(next(rows.parts()), use_case, set_apart=False)
    return checked.rows.column("x")[0].as_py()


def of_labels(use_case: UseCase, folder: Path) -> Any:
    rows = read_labels(str(folder / "rows.csv"), "", use_case).rows
    found = statements(rows, use_case, Pseudonymiser.of(use_case, ""), NOW)
    return REFUSED if found.refused else found.rows.column("x")[0].as_py()


def of_request(use_case: UseCase, folder: Path) -> Any:
    sent = csv_columns((folder / "rows.csv").read_bytes(), use_case, 10)
    return check(sent, use_case).keys["x"][0]


READERS: list[Callable[[UseCase, Path], Any]] = [of_source, of_batch, of_labels, of_request]
TEXT = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}
TRUTH = {"type": "boolean"}
TIME = {"type": "timestamp"}
CASES: list[tuple[dict[str, Any], dict[str, Any], str, Any]] = [
    *((TEXT, {}, word, word) for word in ("NA", "N/A", "null", "nan", "#N/A", "None", "-", " b")),
    (TEXT, {}, "", None),
    (TEXT, {}, '""', ""),
    (TEXT, {}, '" "', " "),
    (TEXT, {}, '"a ""b"", c"', 'a "b", c'),
    (TEXT, {}, '"two\nlines"', "two\nlines"),
    (TEXT, {}, "007", "007"),
    (TEXT, {"null_values": ["NA"]}, "NA", None),
    (TEXT, {"delimiter": ";"}, "a,b", "a,b"),
    (TEXT, {"delimiter": ";"}, '""', ""),
    (NUMBER, {}, "", None),
    (NUMBER, {}, '""', None),
    (NUMBER, {}, "NA", REFUSED),
    (NUMBER, {}, "nan", REFUSED),
    (NUMBER, {}, "1e999", REFUSED),
    (NUMBER, {}, "77123rd", REFUSED),
    (NUMBER, {}, '"1,5"', REFUSED),
    (NUMBER, {}, " 2.5 ", 2.5),
    (NUMBER, {}, "-0.0", -0.0),
    (NUMBER, {"decimal": ","}, '"1,5"', 1.5),
    (NUMBER, {"decimal": ",", "thousands": "."}, '"1.234,5"', 1234.5),
    (NUMBER, {"decimal": ",", "delimiter": ";"}, "1,5", 1.5),
    (NUMBER, {"decimal": ","}, "1.5", REFUSED),
    (NUMBER | {"unit": "%"}, {}, "12 %", 12.0),
    (WHOLE, {}, "9007199254740993", 2**53 + 1),
    (WHOLE, {}, "5.0", 5),
    (WHOLE, {}, "5.5", REFUSED),
    (WHOLE, {}, "9223372036854775808", REFUSED),
    (WHOLE, {}, "", None),
    (TRUTH, {}, "True", True),
    (TRUTH, {}, "1", REFUSED),
    (TRUTH, {}, "yes", REFUSED),
    (TRUTH, {"true_values": ["yes"], "false_values": ["no"]}, "no", False),
    (TIME, {}, "2024-01-01", datetime(2024, 1, 1, 5, tzinfo=UTC)),
    (TIME, {}, "2024-01-01T00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
    (TIME, {}, "2024-03-10 02:30", REFUSED),
    (TIME, {}, "2024-11-03 01:30", REFUSED),
    (TIME, {}, "31.12.2024", REFUSED),
    (TIME, {"timestamp_format": "%d.%m.%Y"}, "31.12.2024", datetime(2024, 12, 31, 5, tzinfo=UTC)),
    (TIME, {}, "1700000000", REFUSED),
    (TIME | {"unit": "s"}, {}, "1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
]


@pytest.mark.parametrize(("column", "form", "field", "value"), CASES)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_field_is_one_value_in_every_reader(
    home: Path,
    read: Callable[[UseCase, Path], Any],
    column: dict[str, Any],
    form: dict[str, Any],
    field: str,
    value: Any,
) -> None:
    found = read_by(read, home, column, form, field)
    nameless = read is of_labels and value is None  # a row of feedback is named by all its keys
    assert found == (REFUSED if nameless else value)
    assert nameless or type(found) is type(value)


def read_by(
    read: Callable[[UseCase, Path], Any],
    home: Path,
    column: dict[str, Any],
    form: dict[str, Any],
    field: str,
) -> Any:
    """What a reader makes of a field of a file, REFUSED where it takes it for none."""
    sign = form.get("delimiter", ",")
    last, cell = ("y", "true") if read is of_labels else ("a", "3")
    lines = f"id{sign}x{sign}{last}\n1{sign}{field}{sign}{cell}\n"
    (home / "rows.csv").write_bytes(lines.encode())
    try:
        return read(declared(home, column, form), home)
    except (FourcycleError, Problem) as error:
        assert "77123" not in str(error)
        return REFUSED


FIELDS = st.one_of(
    st.text(alphabet="0123456789+-.,eE% \t", max_size=8),
    st.text(alphabet="ab\u00e9\u2028NAnul ;'", max_size=6),
    st.text(alphabet="0129-T: .Z+", min_size=8, max_size=22),
    st.datetimes().map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.floats().map(repr),
    st.sampled_from(["", "TRUE", "no", "inf", "-inf", "0x1", "1_0", "007", "\ufeff1"]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(
        [TEXT, NUMBER, WHOLE, TRUTH, TIME, NUMBER | {"unit": "%"}, TIME | {"unit": "s"}]
    ),
    st.sampled_from([{}, {"decimal": ","}, {"null_values": ["NA"]}, {"true_values": ["no"]}]),
    FIELDS,
    st.booleans(),
)
def test_any_field_is_one_value_in_training_batch_and_request(
    home: Path, column: dict[str, Any], form: dict[str, Any], text: str, quoted: bool
) -> None:
    if quoted or "," in text:
        text = f'"{text}"'
    source, batch, request = (
        read_by(read, home, column, form, text) for read in (of_source, of_batch, of_request)
    )
    assert [source, batch] == [request, request]
    assert type(source) is type(batch) is type(request)
