"""Rows of a use case without keys: each named by the SHA-256 of its cells, equal ones numbered.

The rule, version 1 (docs/row-hash.md). What is hashed, in UTF-8, is `row_hash 1` and a line feed,
then each cell that is not null, in the order of the columns' names by code points:

    <length of the name>:<name>,<kind><length of the text>:<text>,

Lengths count bytes. The kind is the first letter of the column's declared type, the text by it:

    string     the text as it is: not trimmed, not normalised
    integer    its decimal digits, with a minus below zero
    number     its 64 bits (IEEE 754, -0.0 as 0.0) as a signed whole number, in decimal digits
    boolean    true or false
    timestamp  microseconds since 1970-01-01T00:00:00Z, in decimal digits

Cells are hashed as the tables hold them: of the declared type, NaN as null. So neither the order of
columns counts nor the kind of source, and a column that is declared later leaves the names of rows
in which it is null.
"""

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contract.names import ROW_COLUMNS, ROW_KEY, ROW_NUMBER
from contract.use_case.model import UseCase

VERSION = b"row_hash 1\n"
PART_ROWS = 10_000  # their texts stay below the 2 GiB that an Arrow array of text holds

FIELDS = (pa.field(ROW_KEY, pa.string()), pa.field(ROW_NUMBER, pa.int64()))


def own_fields(use_case: UseCase) -> tuple[pa.Field, ...]:
    """The columns that tables have beside the declared ones to name a row; none with keys."""
    return () if use_case.keys else FIELDS


def named(rows: pa.Table, use_case: UseCase) -> pa.Table:
    """The rows of one reading with the columns that name them; as they are where there are keys."""
    if use_case.keys:
        return rows
    keys = cell_hashes(rows)
    words = pd.Series(keys.to_numpy(zero_copy_only=False))
    numbers = pa.array(words.groupby(words, sort=False).cumcount().to_numpy() + 1, pa.int64())
    for field, values in zip(FIELDS, (keys, numbers), strict=True):
        rows = rows.append_column(field, values)
    return rows


def cell_hashes(rows: pa.Table) -> pa.Array:
    """The hash of each row's cells in declared types, (n_rows,) texts of 64 hex digits.

    Columns of ours take no part.
    """
    names = sorted(set(rows.column_names) - ROW_COLUMNS)
    hashes: list[str] = []
    for start in range(0, rows.num_rows, PART_ROWS):
        part = rows.select(names).slice(start, PART_ROWS).combine_chunks()
        cells = [_cells(name, part.column(name).combine_chunks()) for name in names]
        whole = pc.binary_join_element_wise(*cells, "").cast(pa.binary())
        hashes += [hashlib.sha256(VERSION + row).hexdigest() for row in whole.to_pylist()]
    return pa.array(hashes, pa.string())


def _cells(name: str, values: pa.Array) -> pa.Array:
    """What is hashed of one column, (n_rows,) texts; empty where it is null."""
    kind, text = _text(values)
    before = f"{len(name.encode())}:{name},{kind}"
    length = pc.binary_length(text).cast(pa.string())
    cells = pc.binary_join_element_wise(before, length, ":", text, ",", "")
    return pc.fill_null(cells, "")


def _text(values: pa.Array) -> tuple[str, pa.Array]:
    """The kind of a column and its cells as texts, null where they are null."""
    if pa.types.is_floating(values.type):
        return "n", _bits(values).cast(pa.string())
    if pa.types.is_timestamp(values.type):
        return "t", values.cast(pa.int64()).cast(pa.string())
    kind = {pa.string(): "s", pa.int64(): "i", pa.bool_(): "b"}[values.type]
    return kind, values.cast(pa.string())


def _bits(values: pa.Array) -> pa.Array:
    null = values.is_null().to_numpy(zero_copy_only=False)
    plain = pc.fill_null(values, 0.0).to_numpy() + 0.0  # -0.0 + 0.0 is 0.0 (IEEE 754)
    return pa.array(np.ascontiguousarray(plain).view(np.int64), mask=null)
