from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.store.cells import BadCell, CellReader
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import CsvFormat
from pipelines.sources.proposals import proposal

GERMAN = {"decimal": ",", "thousands": "."}


def reader(kind: str, form: dict[str, Any] | None = None, unit: str = "") -> CellReader:
    column = Column.model_validate({"type": kind, "unit": unit})
    return CellReader(column, CsvFormat.model_validate(form or {}), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("cells", "text", "said"),
    [
        (reader("number"), "1,5", "if numbers are written 1,5, declare csv: {decimal: ','}"),
        (reader("number"), "1,234.5", "declare csv: {thousands: ','}"),
        (reader("number"), "1.234,5", "declare csv: {decimal: ',', thousands: '.'}"),
        (reader("number"), "NA", "if NA means no value, declare csv: {null_values: ['NA']}"),
        (reader("integer"), "?", "declare csv: {null_values: ['?']}"),
        (reader("number"), "12%", "declare unit: '%' at the column"),
        (reader("boolean"), "no", "csv: {true_values: ['yes'], false_values: ['no']}"),
        (reader("boolean"), "1", "csv: {true_values: ['1'], false_values: ['0']}"),
        (reader("timestamp"), "31.12.2024", "csv: {timestamp_format: '%d.%m.%Y'}"),
        (reader("timestamp"), "12/31/2024 23:59", "csv: {timestamp_format: '%m/%d/%Y %H:%M'}"),
        (reader("timestamp"), "1700000000", "declare unit: s, ms, us or ns at the column"),
        (reader("number"), "77123rd", ""),
        (reader("number"), "nan", "null_values: ['nan']"),
        (reader("number"), "1e999", ""),
        (reader("number", GERMAN), "1.5", ""),
        (reader("integer"), "9223372036854775808", ""),
        (reader("integer"), "1e999999999999", ""),
        (reader("integer"), "3.5", ""),
        (reader("timestamp"), "2024-02-30", ""),
        (reader("timestamp"), "2024-01-01T00:00:00.1234567", ""),
        (reader("timestamp"), "0001-01-01T00:00+14:00", ""),
        (reader("timestamp", unit="ns"), "1700000000000000001", ""),
        (reader("timestamp", unit="s"), "9" * 30, ""),
    ],
)
def test_a_cell_that_can_t_be_read_says_what_would_read_it(
    cells: CellReader, text: str, said: str
) -> None:
    with pytest.raises(BadCell):
        cells.read(text)
    assert said in proposal(text, cells)
    assert bool(said) == bool(proposal(text, cells))
