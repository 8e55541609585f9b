"""Broken lines of a CSV file are told by their rows and lines; what is left reads as it stands."""

from pathlib import Path
from typing import Any

import pytest

from contract.errors import BadInput
from contract.use_case.sections.source import CsvFormat
from pipelines.sources import broken_csv
from pipelines.sources.broken_csv import BrokenCsv, ReadRows

WANTED = ("id", "label")


def opened(home: Path, content: bytes, **form: str) -> BrokenCsv:
    (home / "labels.csv").write_bytes(content)
    return BrokenCsv.open(str(home / "labels.csv"), CsvFormat(**form))  # type: ignore[arg-type]


def read(home: Path, content: bytes, **form: str) -> ReadRows:
    return opened(home, content, **form).read(WANTED)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ('id,label\n1,é\n,\n2,""\n', {}),
        ('\ufeffid;x;label\n1;;é\n;;\n2;;""\n', {"delimiter": ";"}),
        ('id,label\r\n1,é\r\n,\r\n2,""\r\n', {"encoding": "cp1252"}),
        ('\ufeffid,label\n1,é\n,\n2,""\n', {"encoding": "utf-16-le"}),
    ],
)
def test_a_whole_file(home: Path, content: str, form: dict[str, str]) -> None:
    found = read(home, content.encode(form.get("encoding", "utf-8")), **form)
    assert found.rows.to_pydict() == {"id": ["1", None, "2"], "label": ["é", None, ""]}
    assert (found.numbers, found.broken) == ([0, 1, 2], [])


@pytest.mark.parametrize(
    ("content", "form", "ids", "broken"),
    [
        (b"id,label\n1\n2,a\n3,a,b\n", {}, ["2"], [(0, 2, "1 field "), (2, 4, "3 fields ")]),
        (b"id,label\n1,\xe9\n2,a\n", {}, ["2"], [(0, 2, "column 'label' is not written in utf")]),
        (b"id,label\n1,\x81\n2,a\n", {"encoding": "cp1252"}, ["2"], [(0, 2, "column 'label' is")]),
        (b"id,\xe9,label\n1,\xe9,a\n2,,a\n", {}, ["1", "2"], []),
        (b"id,label\n1,a\n\nid,label\n2,a\n", {}, ["1", "2"], [(1, 4, "the line of names again")]),
        (b"id,,label\n1,,a\nid,,label\n", {}, ["1"], [(1, 3, "the line of names again")]),
        (b"id,id,label\n1,1,a\n2,,a\n,,a\n", {}, ["1", None], [(1, 3, "column 'id' stands twice")]),
    ],
)  # fmt: skip
def test_broken_lines(
    home: Path, content: bytes, form: dict[str, str], ids: list[Any], broken: list[Any]
) -> None:
    file = opened(home, content, **form)
    found = file.read(WANTED)
    assert found.rows.column("id").to_pylist() == ids
    lines = file.lines({one.row for one in found.broken})
    told = [(one.row, lines[one.row], one.reason) for one in found.broken]
    assert len(told) == len(broken)
    for (row, line, reason), (at, begins, why) in zip(told, broken, strict=True):
        assert (row, line) == (at, begins)
        assert reason.startswith(why)
    apart = {row for row, _, _ in broken}
    assert found.numbers == [n for n in range(len(ids) + len(broken)) if n not in apart]


def test_rows_are_numbered_through_all_blocks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broken_csv, "BLOCK_BYTES", 1000)
    lines = ["id,label", *(f"{n},a" if n % 7 else f"{n}" for n in range(2000))]
    file = opened(home, "\n".join(lines).encode())
    found = file.read(WANTED)
    assert found.rows.column("id").to_pylist() == [str(n) for n in range(2000) if n % 7]
    assert found.numbers == [n for n in range(2000) if n % 7]
    assert [one.row for one in found.broken] == list(range(0, 2000, 7))
    assert file.lines({7, 1995}) == {7: 9, 1995: 1997}


@pytest.mark.parametrize(
    "content",
    [
        b'id,label\n1,"' + b"a\n" * 999,
        b'id,label\n1,"a\n',
        b'id,label\n1,"a\n2,b\n3,c',
        b'id,label\n1,"a"b\n',
    ],
)
def test_a_quote_without_an_end_leaves_no_lines(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(broken_csv, "BLOCK_BYTES", 1000)
    with pytest.raises(BadInput, match="quote"):
        read(home, content)


def test_half_a_sign_at_the_end_is_another_encoding(home: Path) -> None:
    content = "id,label\n1,a\n".encode("utf-16-le") + b"b"
    with pytest.raises(BadInput, match=r"labels\.csv is not written in utf-16-le"):
        opened(home, content, encoding="utf-16-le")
