"""Cells of a part as the service checks them; a row that does not fit is named, or set apart."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from contract.errors import Refused
from contract.store.schema import check_names
from contract.use_case.model import UseCase
from pipelines.scoring.pieces import RowPart
from serving.requests.arrow_columns import CheckedBatch, check_batch
from serving.requests.errors import Problem


@dataclass(frozen=True)
class BadRow:
    """A row that does not fit: where it stands, from 0, and why, in words that tell no value."""

    where: str
    row: int
    reason: str


BAD_SCHEMA = pa.schema([("where", pa.string()), ("row", pa.int64()), ("reason", pa.string())])


def bad_table(bad: list[BadRow]) -> pa.Table:
    """Rows that were set apart, as a table."""
    rows = [{"where": b.where, "row": b.row, "reason": b.reason} for b in bad]
    return pa.Table.from_pylist(rows, BAD_SCHEMA)


def check_part(
    part: RowPart, use_case: UseCase, set_apart: bool
) -> tuple[CheckedBatch, list[BadRow]]:
    """The rows that fit, and, where `set_apart` says so, those that do not; else Refused names the
    first of them. A column that is not there is no row's fault."""
    check_names(part.rows.schema.names, use_case.columns)
    if part.unread and not set_apart:
        raise Refused(f"source: {part.where}, {part.unread[min(part.unread)]}.")
    missing = [name for name in use_case.inputs if name not in part.rows.schema.names]
    if missing:
        raise Refused(f"source: {part.where}, column {missing[0]!r}: it is missing.")
    if not set_apart:
        return _all(part, use_case), []
    bad = dict(part.unread)
    fitting = [row for row in range(part.rows.num_rows) if row not in bad]
    bad.update(_misfits(part.rows, fitting, use_case))
    rows = part.rows.take(pa.array([row for row in fitting if row not in bad], pa.int64()))
    return check_batch(rows, use_case), [
        BadRow(part.where, part.first + row, bad[row]) for row in sorted(bad)
    ]


def _all(part: RowPart, use_case: UseCase) -> CheckedBatch:
    try:
        return check_batch(part.rows, use_case)
    except Problem as problem:
        at = None if problem.row is None else part.first + problem.row
        said = Problem(problem.reason, problem.what, at, problem.column)
        raise Refused(f"source: {part.where}: {said}") from None


def _misfits(
    rows: pa.RecordBatch, asked: list[int], use_case: UseCase
) -> Iterator[tuple[int, str]]:
    """Those of the asked rows that do not fit, by halves: most parts hold none or few."""
    waiting = [asked]
    while waiting:
        some = waiting.pop()
        try:
            check_batch(rows.take(pa.array(some, pa.int64())), use_case)
        except Problem as problem:
            if len(some) == 1:
                column = f"column {problem.column!r}: " if problem.column else ""
                yield some[0], column + problem.what
            else:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
