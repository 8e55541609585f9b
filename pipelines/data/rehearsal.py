"""Rehearsals: the whole pipeline on a sample or on repeated rows, apart from the real thing.

A rehearsal has a name of its own (`flights-sample5000`), so its tables, runs and model versions
never mix with those of the use case.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer

from contract.errors import BadInput
from contract.use_case.model import UseCase

SampleOption = Annotated[
    str, typer.Option(help="Rapid check on this many seeded rows, under a name of its own.")
]
RowsMultipleOption = Annotated[
    str, typer.Option(help="Repeat the rows so many times, to see how time and memory grow.")
]
SEED = 0


@dataclass(frozen=True)
class Rehearsal:
    """No rehearsal by default: all rows, once."""

    sample: int = 0
    rows_multiple: int = 1

    def of(self, use_case: UseCase) -> UseCase:
        """The use case under the rehearsal's name."""
        name = use_case.name
        name += f"-sample{self.sample}" if self.sample else ""
        name += f"-x{self.rows_multiple}" if self.rows_multiple > 1 else ""
        return use_case.model_copy(update={"name": name})


def read_rehearsal(sample: str, rows_multiple: str) -> Rehearsal:
    """Options of the command line; an empty one is not given."""
    return Rehearsal(_whole("sample", sample, 0), _whole("rows_multiple", rows_multiple, 1))


def rehearse(rows: pa.Table, use_case: UseCase, rehearsal: Rehearsal) -> pa.Table:
    """The rows to work with: a seeded sample, then repeated with keys kept unique."""
    if 0 < rehearsal.sample < rows.num_rows:
        chosen = np.random.default_rng(SEED).choice(rows.num_rows, rehearsal.sample, replace=False)
        rows = rows.take(pa.array(np.sort(chosen)))
    if not use_case.keys:
        return pa.concat_tables([rows] * rehearsal.rows_multiple)  # equal rows are numbered
    key = use_case.keys[0]
    unusable = key not in rows.column_names or not rows.column(key).drop_null()
    if rehearsal.rows_multiple == 1 or unusable:
        return rows
    copies = [_renamed_key(rows, key, i) for i in range(rehearsal.rows_multiple)]
    return pa.concat_tables(copies)


def _renamed_key(rows: pa.Table, key: str, copy: int) -> pa.Table:
    values = rows.column(key)
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind):
        numbers = values.cast(pa.int64()) if pa.types.is_timestamp(kind) else values
        ends = pc.min_max(numbers)
        span = ends["max"].as_py() - ends["min"].as_py() + 1
        renamed = pc.add(numbers, pa.scalar(copy * span, numbers.type)).cast(kind)
    else:
        suffix = f"#{copy}" if copy else ""
        renamed = pc.binary_join_element_wise(values.cast(pa.string()), pa.scalar(suffix), "")
    return rows.set_column(rows.column_names.index(key), key, renamed)


def _whole(name: str, text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise BadInput(f"{name}: a whole number above 0 is needed, found {text!r}.")
    return int(text)
