import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from contract.errors import BadInput, FourcycleError, Refused
from contract.store.schema import conform
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.source import Csv
from pipelines.sources import csv
from tests.conftest import MADE, made_rows
from tests.support.project import PROJECT
from tests.support.sources import reading


def written(home: Path, content: str | bytes, **form: Any) -> UseCase:
    """The made use case, reading this file."""
    path = home / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reading(home, csv=Csv(path=str(path), **form))


def read_by_batches(path: str, use_case: UseCase) -> None:
    """Read all, as `score` does; Refused at the first row that can't be read."""
    for _, unread in csv.batches_with_reasons(path, use_case):
        if unread:
            raise Refused(f"source: {path}, {unread[min(unread)]}.")


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
        ("\ufeffid,colour,size\n1,é,1.5\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ('\ufeff"id",colour,size\n1,é,1.5\n'.encode(), {}),
        ('id,colour,size\r\n\r\n"1","é"," 1.5"', {}),
        ('id,colour,size,note\n1,é,1.5,"5"" or 6"""\n', {}),
        ('id,colour,size,note\n1,é,1.5,5" or 6"\n', {}),
        ("id,colour,size,\n1,é,1.5,\n", {}),
    ],
)
def test_a_file_is_read_as_it_is_written(
    home: Path, content: str | bytes, form: dict[str, Any]
) -> None:
    rows = csv.read(written(home, content, **form)).select(["id", "colour", "size"])
    assert rows.to_pylist() == [{"id": 1, "colour": "é", "size": 1.5}]


FAR = "id,colour\n" + "1,77123\n" * 9_000 + "2,é\n"  # what is wrong stands in a later block
LINES = 'id,colour,size\n1,"two\nlines",1\n\n2,"77123\nrd",{}\n'


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (LINES.format('"77123,5"'), {}, "'size', line 5: number expected, found text; if numbers"),
        (LINES.format("77123rd"), {}, "column 'size', line 5: number expected, found text."),
        (LINES.format("1,77123"), {}, "line 5 has more or fewer fields than the 3 names"),
        ('id,size\n1,"2\n3,77123\n', {}, "column 'size', line 2: number expected"),
        ('id,colour\n1,"a\n3,77123\n', {}, "quoted field in line 2 has no end"),
        ('id,colour,size\n1,"a\n3,77123\n', {}, "line 2 has more or fewer fields"),
        (LINES.replace("77123", "é").encode("latin-1"), {}, "is not written in utf-8; declare how"),
        (LINES.encode("utf-16"), {}, "is not written in utf-8; declare how"),
        (FAR.encode("latin-1"), {}, "is not written in utf-8; declare how"),
        (FAR.encode(), {"encoding": "ascii"}, "is not written in ascii; declare how"),
        ("id;size\n1;77123\n", {}, "separated by ';', declare csv: {delimiter: \";\"}"),
        ("id\tsize\n1\t77123\n", {}, 'declare csv: {delimiter: "\\t"}'),
        ('id,colour\n1,"a\nb"\n2,"77123\\" or so"\n', {}, "in line 4 a quoted field goes on"),
        ('id,colour\n1,"a"77123"\n', {}, 'written twice (""), not with a backslash'),
        ("", {}, "is empty; a line of names is needed"),
        ("id,late\n1,77123\n", {}, "column 'late', line 2: boolean expected"),
        ("id,moment\n1,77123\n", {}, "declare unit: s, ms, us or ns at the column"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_never_shown(
    home: Path, content: str | bytes, form: dict[str, Any], said: str
) -> None:
    use_case = written(home, content, **form)
    with pytest.raises((BadInput, Refused)) as refused:
        read_by_batches(str(home / "rows.csv"), use_case)
    assert said in str(refused.value)
    assert "77123" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            'id,colour\n1,"' + "77123\n" * 3_000,
            "is no CSV: a quoted field has no end, or more than",
        ),
        ("id," + "77123" * 1_000 + "\n1,a\n", "in line 1 a field is longer than"),
        ('id,colour\n1,"' + "77123\n" * 1_000, "in line 2 a field is longer than"),
    ],
)
def test_a_field_longer_than_any_block_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: str, said: str
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 4_000)
    with pytest.raises(BadInput, match=said) as refused:
        csv.read(written(home, content))
    assert "77123" not in str(refused.value)


def test_every_column_that_can_t_be_read_is_named_at_once(home: Path) -> None:
    use_case = written(home, "id,size,late\n1,x,true\n2,1,7\n")
    retyped = conform(csv.read(use_case), use_case).retyped
    assert retyped["size"] == "line 2: number expected, found text"
    assert retyped["late"] == "line 3: boolean expected, found text"


def test_every_line_is_told_in_a_file_of_many_blocks(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 4_000)
    lines = [f'{n},"a\nb",{n}.5' for n in range(2_000)]
    lines[1_700] = "1700,a,x"
    use_case = written(home, "id,colour,size\n" + "\n".join(lines) + "\n")
    with pytest.raises(Refused, match="column 'size', line 3402: number expected"):
        read_by_batches(str(home / "rows.csv"), use_case)


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
        ("{path: a.csv, timestamp_format: '%d.%m.%Y %H:%M %p'}", "%I and %p, the hours of half"),
        ("{path: a.csv, timestamp_format: '%d.%m.%Y %I:%M'}", "%I and %p, the hours of half"),
        ("{path: a.csv, delimiter: '¦'}", "a sign of ASCII is needed"),
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


def test_the_page_s_examples_are_read_and_said(home: Path) -> None:
    for page in ("csv.md", "times.md"):
        text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
        for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            declared = yaml.safe_load(block)
            raw = yaml.safe_load(MADE)
            raw["columns"] |= declared.pop("columns", {})
            use_case = parse_use_case(yaml.safe_dump(raw | declared), page, home)
            assert use_case.source.csv or use_case.columns["sold_at"].type == "timestamp"
    text = (PROJECT / "docs/csv.md").read_text(encoding="utf-8")
    lines = ["price", *["1.5"] * 15, '"1,5"', ""]
    (home / "sales.csv").write_text("\n".join(lines))
    use_case = reading(home, csv=Csv(path="sales.csv"))
    use_case = use_case.model_copy(update={"columns": {"price": use_case.columns["size"]}})
    with pytest.raises(Refused) as refused:
        read_by_batches("sales.csv", use_case)
    assert f"```text\n{refused.value}\n```" in text
