"""Retention: take rows out of the log that are older than the use case says they are kept."""

from datetime import datetime, timedelta
from time import sleep

from deltalake.exceptions import CommitFailedError

from contract.errors import Unavailable
from contract.labels import moment
from contract.names import TableName
from contract.tables import Tables
from contract.use_case import UseCase

ATTEMPTS = 5
PAUSE_S = 0.2  # after the first attempt; twice as long after each further one
ARRIVED: dict[TableName, str] = {  # when a row came, of tables that grow all the time
    "predictions": "logged_time",
    "feedback": "received_time",
    "feedback_quarantine": "received_time",
}


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
    for attempt in range(ATTEMPTS):
        n_rows, until_now = matching(tables, name, where)
        if not n_rows:
            return 0
        try:
            tables.delete(name, until_now, **metadata)
        except CommitFailedError:
            sleep(PAUSE_S * 2**attempt)
            continue
        return n_rows
    raise Unavailable(f"Table {name!r} changed {ATTEMPTS} times during a deletion; try again.")


def matching(tables: Tables, name: TableName, where: str) -> tuple[int, str]:
    """How many rows there are, and a condition for them that no row of a later moment meets.

    Delta refuses a deletion during which a file came that may hold such rows, and a file of the
    shipper may hold any key. Its times tell that it is younger.
    """
    arrived = ARRIVED.get(name)
    newest = f"max({arrived})" if arrived else "NULL"
    sql = f"SELECT count(*) AS n, {newest} AS newest FROM t WHERE {where}"  # noqa: S608
    (found,) = tables.query(sql, t=tables.open(name)).to_pylist()
    if found["newest"] is not None:
        where = f"({where}) AND ({arrived} <= {moment(found['newest'])} OR {arrived} IS NULL)"
    return int(found["n"]), where
