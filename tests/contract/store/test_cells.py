"""What a cell means, one by one and many at once."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract.store.cells import EXACT, BadCell, CellReader, moment_of
from contract.store.text_columns import read_texts
from contract.use_case.local_time import NotOneMoment
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import CsvFormat

YORK = ZoneInfo("America/New_York")
GERMAN = {"decimal": ",", "thousands": "."}
SWISS = {"thousands": "'"}


def reader(kind: str, form: dict[str, Any] | None = None, unit: str = "") -> CellReader:
    column = Column.model_validate({"type": kind, "unit": unit})
    return CellReader(column, CsvFormat.model_validate(form or {}), YORK)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("cells", "text", "value"),
    [
        *((reader("string"), word, word) for word in ("NA", "null", "nan", "#N/A", "-", " x ")),
        (reader("string"), "", None),
        (reader("string", {"null_values": ["NA", "-"]}), "NA", None),
        (reader("number", {"null_values": ["-"]}), "-", None),
        (reader("number"), " 1.50 ", 1.5),
        (reader("number"), "+.5e-3", 0.0005),
        (reader("number", GERMAN), "-1.234.567,89", -1234567.89),
        (reader("number", SWISS), "1'234", 1234.0),
        (reader("number", {"decimal": ","}), "1,5", 1.5),
        (reader("number", {"thousands": " "}), "1 234 567", 1234567.0),
        (reader("number", unit="%"), "12.5 %", 12.5),
        (reader("integer"), "007", 7),
        (reader("integer"), "9007199254740993.00", 2**53 + 1),
        (reader("integer"), "-9223372036854775808", -(2**63)),
        (reader("integer"), "2e3", 2000),
        (reader("integer", GERMAN), "1.234", 1234),
        (reader("boolean"), "TRUE", True),
        (reader("boolean", {"true_values": ["ja"], "false_values": ["0"]}), "ja", True),
        (reader("boolean", {"true_values": ["ja"], "false_values": ["0"]}), "0", False),
        (reader("timestamp"), "2024-01-01", at(2024, 1, 1, 5)),
        (reader("timestamp"), "2024-07-01 12:00:00.250000000", at(2024, 7, 1, 16, 0, 0, 250000)),
        (reader("timestamp"), "2024-11-03T01:30-05:00", at(2024, 11, 3, 6, 30)),
        (reader("timestamp"), "2024-01-01T00:00Z", at(2024, 1, 1)),
        (reader("timestamp"), "2051-07-01T00:00", at(2051, 7, 1, 4)),
        (reader("timestamp", {"timestamp_format": "%d.%m.%y"}), "1.2.24", at(2024, 2, 1, 5)),
        (reader("timestamp", unit="s"), "1700000000", at(2023, 11, 14, 22, 13, 20)),
        (reader("timestamp", unit="ms"), "1700000000000.5", at(2023, 11, 14, 22, 13, 20, 500)),
        (reader("timestamp", unit="s"), "20240101", at(1970, 8, 23, 6, 15, 1)),
        (reader("timestamp", unit="ns"), "253402300799000000000", at(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_cell_has_its_value(cells: CellReader, text: str, value: object) -> None:
    assert cells.read(text) == value
    assert type(cells.read(text)) is type(value)


@pytest.mark.parametrize(
    ("cells", "text", "said"),
    [
        (reader("number"), "1,5", "number expected, found text"),
        (reader("number"), "12.5 %", "number expected, found text"),
        (reader("integer", unit="m"), "5%", "integer expected, found text"),
        (reader("number"), "nan", "number expected, found text"),
        (reader("number"), "1e999", "number expected, found no finite number"),
        (reader("number", GERMAN), "1.5", "number expected, found text"),
        (reader("integer"), "9223372036854775808", "integer expected, found an integer beyond 64"),
        (reader("integer"), "1e999999999999", "integer expected, found an integer beyond 64"),
        (reader("integer"), "1e" + "9" * 30, "integer expected, found an integer beyond 64"),
        (reader("integer"), "3.5", "integer expected, found a number that is no integer"),
        (reader("integer"), "3.25", "integer expected, found a number that is no integer"),
        (reader("boolean"), "1", "boolean expected, found text"),
        (reader("timestamp"), "2024-02-30", "timestamp expected, found text"),
        (reader("timestamp"), "20240101", "timestamp expected, found text"),
        (reader("timestamp"), "2024-01-01T00:00:00.1234567", "timestamp expected, found text"),
        (reader("timestamp"), "0001-01-01T00:00+14:00", "timestamp expected, found text"),
        (reader("timestamp"), "9999-12-31T23:00-05:00", "timestamp expected, found text"),
        (reader("timestamp"), "2024-01-01T00:00+05:75", "timestamp expected, found text"),
        (reader("timestamp", unit="ns"), "1700000000000000001", "timestamp expected, found text"),
        (reader("timestamp", unit="s"), "9" * 30, "timestamp expected, found text"),
        (reader("timestamp", unit="s"), "1e999999", "timestamp expected, found text"),
        (reader("timestamp", unit="ns"), "1e22", "timestamp expected, found text"),
        (reader("timestamp", unit="ns"), "1e" + "9" * 30, "timestamp expected, found text"),
    ],
)
def test_what_is_no_value_is_refused_without_its_text(
    cells: CellReader, text: str, said: str
) -> None:
    with pytest.raises(BadCell, match=said) as refused:
        cells.read(text)
    assert text not in str(refused.value)
    assert set(read_texts(pa.array([text]), cells).unreadable) == {0}


@pytest.mark.parametrize("text", ["2024-03-10T02:30", "2024-11-03 01:30:00", "2060-11-07T01:30"])
def test_an_hour_that_a_clock_skips_or_repeats_is_no_moment(text: str) -> None:
    with pytest.raises(NotOneMoment, match="America/New_York skips this time or shows it twice"):
        reader("timestamp").read(text)


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        (1.5, "s", at(1970, 1, 1, 0, 0, 1, 500_000)),
        (1500.25, "ms", at(1970, 1, 1, 0, 0, 1, 500_250)),
        (-2.0, "us", at(1969, 12, 31, 23, 59, 59, 999_998)),
        (1999.6, "ns", at(1970, 1, 1, 0, 0, 0, 2)),  # to the nearest microsecond
        (3, "s", at(1970, 1, 1, 0, 0, 3)),
        (2_000, "ns", at(1970, 1, 1, 0, 0, 0, 2)),
    ],
)
def test_a_number_is_a_moment(number: float, unit: str, expected: datetime) -> None:
    assert moment_of(number, unit) == expected


@pytest.mark.parametrize(
    ("number", "unit", "said"),
    [
        (None, "s", "no number"),
        (1, "ns", "finer than a microsecond"),
        (Decimal("0.5"), "us", "finer than a microsecond"),
    ],
)
def test_a_number_that_is_no_moment_is_refused(number: Any, unit: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        moment_of(number, unit)


def test_whole_numbers_are_exact_in_float64_up_to_a_bound() -> None:
    assert int(float(EXACT)) == EXACT
    assert int(float(EXACT + 1)) != EXACT + 1


FORMS: list[dict[str, Any]] = [
    {},
    GERMAN,
    SWISS,
    {"null_values": ["NA"], "true_values": ["1", "yes"], "false_values": ["0"]},
    {"timestamp_format": "%d.%m.%Y %H:%M"},
]
DATES = st.datetimes(datetime(1600, 1, 1), datetime(2400, 1, 1)).flatmap(
    lambda time: st.sampled_from(
        [
            time.isoformat(),
            str(time.date()),
            f"{time.isoformat(' ', 'minutes')}+05:30",
            f"{time.isoformat(timespec='milliseconds')}Z",
            f"{time:%d.%m.%Y %H:%M}",
        ]
    )
)
TEXTS = st.one_of(
    st.text(alphabet="0123456789", max_size=22),
    st.text(alphabet="01259.,'+-eE% \t", max_size=9),
    st.text(alphabet="0129-T: .Z+", min_size=8, max_size=22),
    st.floats().map(repr),
    st.integers(-(2**64), 2**64).map(str),
    DATES,
    st.sampled_from(["", "NA", "true", "False", "yes", "inf", "1_000", "٣", "0x1", "a\nb"]),
)


@settings(deadline=None)  # the first call opens the zones of the clock
@given(
    st.sampled_from(["string", "number", "integer", "boolean", "timestamp"]),
    st.sampled_from(FORMS),
    st.sampled_from(["", "%", "s", "ms", "us", "ns"]),
    st.lists(TEXTS, max_size=6),
)
@example("timestamp", {}, "", ["2024-03-10T02:30", "2024-02-30", "0000-01-01", "0001-01-01"])
@example("timestamp", {}, "", ["1883-11-18T12:01", "2037-11-01T01:30", "1969-12-31T23:59:59.9"])
def test_many_cells_are_read_as_each(
    kind: str, form: dict[str, Any], unit: str, texts: list[str]
) -> None:
    cells = reader(kind, form, unit)
    found = read_texts(pa.array(texts, pa.string()), cells)
    for row, text in enumerate(texts):
        try:
            expected = cells.read(text) if text or kind != "string" else text
        except NotOneMoment:
            assert row in found.unplaced
        except BadCell as error:
            assert found.unreadable[row] == str(error)
        else:
            assert row not in found.unreadable | found.unplaced
            assert repr(found.values[row].as_py()) == repr(expected) or (
                found.values[row].as_py() == expected and isinstance(expected, datetime)
            )
