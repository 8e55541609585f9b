"""Rows after the holdout, which nothing was trained on: what callers would have asked."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import Refused
from contract.store.rows.fingerprint import row_hashes
from contract.store.sql import quoted
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.windows.window import in_earnest, literal
from pipelines.data.days import local_midnight
from pipelines.runtime.workspace import Workspace


@dataclass(frozen=True)
class Days:
    """Days [start, end) in the use case's time zone."""

    start: date
    end: date

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


def within(rows: pa.Table, days: Days, use_case: UseCase) -> pa.Table:
    """The rows of these days."""
    times = rows.column(str(use_case.event_time))
    start, end = (local_midnight(day, use_case.time_zone) for day in (days.start, days.end))
    return rows.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))


def drawn(rows: pa.Table, wanted: int) -> pa.Table:
    """A seeded sample of at most `wanted` rows, in their order."""
    if rows.num_rows <= wanted:
        return rows
    chosen = np.random.default_rng(0).choice(rows.num_rows, wanted, replace=False)
    return rows.take(pa.array(np.sort(chosen)))


def unanswered(workspace: Workspace, rows: pa.Table, version: str = "") -> pa.Table:
    """The rows whose keys no answer in `predictions` has: none of this version, or of any.

    Without keys, those whose inputs no answer was given to. What a person tried in the form is no
    answer.
    """
    use_case, tables = workspace.use_case, workspace.tables
    if not use_case.keys:
        return _without_answer(tables, use_case, rows, version)
    if hidden := [key for key in use_case.keys if use_case.columns[key].logged != "keep"]:
        raise Refused(
            f"The log does not hold {', '.join(hidden)} as sent, so it can't be told which rows "
            "were answered; a key with log: keep is needed."
        )
    if not tables.exists("predictions"):
        return rows
    time = _time(use_case)
    names = {key: key for key in use_case.keys} | time
    same = ", ".join(f"{quoted(theirs)} AS {quoted(ours)}" for ours, theirs in names.items())
    answered = _answered(tables, same, version)
    keys = rows.select(list(names))
    places = keys.append_column("", pa.array(range(rows.num_rows)))
    left = places.join(answered.cast(keys.schema), list(names), join_type="left anti")
    return rows.take(left.column("").sort())


def _without_answer(tables: Tables, use_case: UseCase, rows: pa.Table, version: str) -> pa.Table:
    """By the inputs that the log holds as sent: rows that are equal in them are one row."""
    names = [name for name in use_case.inputs if use_case.columns[name].logged == "keep"]
    if not tables.exists("predictions"):
        return rows
    inputs = pa.schema(tables.open("predictions").schema().to_arrow()).field("inputs").type
    if not names or not {field.name for field in inputs}.issuperset(names):
        return rows  # of the answers there are, none was given to these inputs
    told = {name: f"p.inputs[{literal(name)}]" for name in names}
    told |= {ours: f"p.{theirs}" for ours, theirs in _time(use_case).items()}
    same = ", ".join(f"{sql} AS {quoted(ours)}" for ours, sql in told.items())
    asked = rows.select(list(told))
    answered = _answered(tables, same, version).cast(asked.schema)
    known = np.isin(row_hashes(asked), row_hashes(answered))
    return rows.filter(pa.array(~known))


def _answered(tables: Tables, what: str, version: str) -> pa.Table:
    opened = tables.open("predictions")
    terms = [*in_earnest(opened), *([f"p.version = {literal(version)}"] if version else [])]
    return tables.query(
        f"SELECT DISTINCT {what} FROM p WHERE {' AND '.join(['true', *terms])}",  # noqa: S608
        p=opened,
    )


def _time(use_case: UseCase) -> dict[str, str]:
    return {use_case.event_time: "event_time"} if use_case.event_time else {}
