"""Retention: take rows out of the log that are older than the use case says they are kept."""

from datetime import datetime, timedelta

from deltalake.exceptions import CommitFailedError

from contract.errors import Unavailable
from contract.labels import moment
from contract.names import TableName
from contract.tables import Tables
from contract.use_case import UseCase

ATTEMPTS = 5


def expire(tables: Tables, use_case: UseCase, now: datetime) -> dict[TableName, int]:
    """Delete what is older than `privacy.retention_days`; rows by table, none where none is due.

    The files that hold them leave the disk with the next vacuum after their own time.
    """
    if use_case.privacy.retention_days is None:
        return {}
    before = now - timedelta(days=use_case.privacy.retention_days)
    due: dict[TableName, str] = {
        "predictions": f"logged_time < {moment(before)}",
        # A label goes with its prediction, however late it came.
        "feedback": f"received_time < {moment(before)} OR prediction_id < '{first_id(before)}'",
        "feedback_quarantine": f"received_time < {moment(before)}",
    }
    return {name: delete(tables, name, where) for name, where in due.items() if tables.exists(name)}


def first_id(time: datetime) -> str:
    """What ids of requests since a time sort after: a UUIDv7 begins with its milliseconds."""
    digits = f"{int(time.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def delete(tables: Tables, name: TableName, where: str, **metadata: str) -> int:
    """Take rows out; how many. A writer that comes between wins, and then it is done again."""
    for _ in range(ATTEMPTS):
        table = tables.open(name)
        n_rows = tables.query(f"SELECT count(*) AS n FROM t WHERE {where}", t=table)  # noqa: S608
        found = int(n_rows.column("n")[0].as_py())
        if not found:
            return 0
        try:
            tables.delete(name, where, **metadata)
        except CommitFailedError:
            continue
        return found
    raise Unavailable(f"Table {name!r} changed {ATTEMPTS} times during a deletion; try again.")
