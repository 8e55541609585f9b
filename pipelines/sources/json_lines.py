"""Lines of JSON: one object for each row. A member that is missing is null, as null itself."""

import codecs
import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa

from contract.errors import BadInput
from contract.use_case.model import UseCase
from pipelines.sources import values
from pipelines.sources.files import SourceFile, failing, stream
from pipelines.sources.newer import Newer
from pipelines.sources.parts import read_files

BATCH_ROWS = 20_000
READ_BYTES = 1 << 20


def read(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """All rows; the members of an object that the use case declares are its columns."""
    names = [*use_case.columns]
    if use_case.source.since and use_case.source.since not in names:
        names.append(use_case.source.since)

    def read_file(file: SourceFile) -> pa.Table:
        where, seen = f"source.json: {file.address}", set[str]()
        with failing("source.json", file.address), stream(file.address, "json") as lines:
            rows = values.table(names, _batches(members(lines, where), names, seen), where)
        return rows.select([name for name in names if name in seen])

    return read_files(str(use_case.source.json_lines), "json", use_case, newer, read_file)


def _batches(
    rows: Iterator[dict[str, Any]], names: list[str], seen: set[str]
) -> Iterator[list[list[Any]]]:
    """Columns of some rows at a time; `seen` comes to hold the names that any row has."""
    while batch := list(islice(rows, BATCH_ROWS)):
        seen |= {name for name in names if name not in seen and any(name in r for r in batch)}
        yield [[row.get(name) for row in batch] for name in names]


def members(lines: pa.NativeFile, where: str) -> Iterator[dict[str, Any]]:
    """The objects, one for each line that is not empty; BadInput names a line that holds none."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for number, line in enumerate(io.BufferedReader(lines, READ_BYTES), 1):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if not text.strip():
            continue
        try:
            row = decode(text)
            # The decoder keeps the last of two members of one name.
            many = text.count(b'":') + text.count(b'" :') > len(row)
            twice = _twice(text) if many else ""
        except (msgspec.DecodeError, RecursionError):
            raise BadInput(
                f"{where}, line {number}: one JSON object in UTF-8 is needed in each line, with "
                "finite numbers, and not too deep."
            ) from None
        if twice:
            raise BadInput(f"{where}, line {number}: the member {twice!r} stands twice.")
        yield row


def _twice(line: bytes) -> str:
    """The first name that two members of the object have; "" where it has none."""
    names = [name for name, _ in json.loads(line, object_pairs_hook=list)]
    return next((name for at, name in enumerate(names) if name in names[:at]), "")
