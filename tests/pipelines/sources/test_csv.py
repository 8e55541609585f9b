from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from contract.errors import BadInput, FourcycleError, Refused
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.source import Csv
from pipelines.sources import csv
from tests.conftest import MADE, made_rows
from tests.support.sources import reading


def written(home: Path, content: str | bytes, **form: Any) -> UseCase:
    """The made use case, reading this file."""
    path = home / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reading(home, csv=Csv(path=str(path), **form))


def test_a_cell_of_a_large_file_may_hold_line_breaks(home: Path) -> None:
    rows = (
        made_rows(1)
        .drop(columns="colour")
        .merge(pd.DataFrame({"colour": [f"a\n{n}\u2028b" for n in range(100_000)]}), how="cross")
    )
    rows.to_csv(home / "rows.csv", index=False)
    table = csv.read(reading(home, csv=str(home / "rows.csv")))
    assert table.column("colour").to_pylist() == rows["colour"].tolist()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("id;colour;size\n1;é;1,5\n", {"delimiter": ";", "decimal": ","}),
        ("id\tcolour\tsize\n1\té\t1.5\n", {"delimiter": "\t"}),
        ("id,colour,size\n1,é,1.5\n".encode("latin-1"), {"encoding": "latin-1"}),
        ("id,colour,size\n1,é,1.5\n".encode("utf-16"), {"encoding": "UTF-16"}),
        ("id,colour,size\n1,é,1.5\n".encode("utf-8-sig"), {}),
        ('id,colour,size\r\n\r\n"1","é"," 1.5"', {}),
        ("id,colour,size,\n1,é,1.5,\n", {}),
    ],
)
def test_a_file_is_read_as_it_is_written(
    home: Path, content: str | bytes, form: dict[str, Any]
) -> None:
    rows = csv.read(written(home, content, **form)).select(["id", "colour", "size"])
    assert rows.to_pylist() == [{"id": 1, "colour": "é", "size": 1.5}]


LINES = 'id,colour,size\n1,"two\nlines",1\n\n2,"77123\nrd",{}\n'


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (LINES.format('"77123,5"'), {}, "'size', line 5: number expected, found text; if numbers"),
        (LINES.format("77123rd"), {}, "column 'size', line 5: number expected, found text."),
        (LINES.format("1,77123"), {}, "line 5 has more or fewer fields than the 3 names"),
        ('id,size\n1,"2\n3,77123\n', {}, "column 'size', line 2: number expected"),
        ('id,colour\n1,"a\n3,77123\n', {}, "unexpected end of data"),
        ('id,colour,size\n1,"a\n3,77123\n', {}, "line 2 has more or fewer fields"),
        (LINES.replace("77123", "é").encode("latin-1"), {}, "is not written in utf-8; declare how"),
        (LINES.encode("utf-16"), {}, "is not written in utf-8; declare how"),
        ("id;size\n1;77123\n", {}, "separated by ';', declare csv: {delimiter: \";\"}"),
        ("id\tsize\n1\t77123\n", {}, 'declare csv: {delimiter: "\\t"}'),
        ("", {}, "is empty; a line of names is needed"),
        ("id,late\n1,77123\n", {}, "column 'late', line 2: boolean expected"),
        ("id,moment\n1,77123\n", {}, "declare unit: s, ms, us or ns at the column"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_never_shown(
    home: Path, content: str | bytes, form: dict[str, Any], said: str
) -> None:
    with pytest.raises((BadInput, Refused)) as refused:
        csv.read(written(home, content, **form))
    assert said in str(refused.value)
    assert "77123" not in str(refused.value)


def test_every_line_is_told_in_a_file_of_many_blocks(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 4_000)
    lines = [f'{n},"a\nb",{n}.5' for n in range(2_000)]
    lines[1_700] = "1700,a,x"
    with pytest.raises(Refused, match="column 'size', line 3402: number expected"):
        csv.read(written(home, "id,colour,size\n" + "\n".join(lines) + "\n"))


@pytest.mark.parametrize(
    ("csv_section", "said"),
    [
        ("{path: a.csv, delimeter: ;}", "source.csv.delimeter: unknown key; did you mean 'delim"),
        ("{path: a.csv, true_values: [yes]}", "YAML made True of one; quote it"),
        ("{path: a.csv, null_values: [-999]}", "YAML made -999 of one; quote it"),
        ("{path: a.csv, encoding: utf8x}", "no encoding that Python knows"),
        ("{path: a.csv, thousands: '.'}", "thousands '.' is the sign of decimals too"),
        ("{path: a.csv, timestamp_format: '%H:%M'}", "with a day is needed"),
        ("{path: a.csv, timestamp_format: '%Y-%m-%d %Z'}", "write times with %z"),
        ("{path: a.csv, true_values: ['1'], false_values: ['1']}", "'1' stands twice"),
        ("{delimiter: ;}", "source.csv.path: is missing"),
    ],
)
def test_a_format_that_can_t_be_is_named(home: Path, csv_section: str, said: str) -> None:
    text = MADE.replace("{csv: rows.csv}", f"{{csv: {csv_section}}}")
    with pytest.raises(FourcycleError) as refused:
        parse_use_case(text, "made.yaml", home)
    assert said in str(refused.value)


def test_a_unit_of_time_is_one(home: Path) -> None:
    text = MADE.replace("{type: timestamp}", "{type: timestamp, unit: sec}")
    with pytest.raises(BadInput, match=r"columns.moment.unit: .* count s, ms, us, ns .Unix time."):
        parse_use_case(text, "made.yaml", home)
