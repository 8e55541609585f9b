"""Retention: take rows out of the log that are older than the use case says they are kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pyarrow as pa
from deltalake.exceptions import CommitFailedError
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from contract.errors import Unavailable
from contract.names import TableName
from contract.store.labels import label_tables, leaving_sql, moment, shared_keys
from contract.store.sql import quoted
from contract.store.tables import Tables
from contract.use_case.model import UseCase

T = TypeVar("T")

ATTEMPTS = 8
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
    # Before the predictions: afterwards nobody knows which labels were theirs.
    gone: dict[TableName, int] = {"feedback": _with_their_predictions(tables, use_case, before)}
    for name, where in due.items():
        if tables.exists(name):
            gone[name] = gone.get(name, 0) + delete(tables, name, where)
    return gone


def first_id(time: datetime) -> str:
    """What ids of requests since a time sort after: a UUIDv7 begins with its milliseconds."""
    digits = f"{int(time.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def delete(tables: Tables, name: TableName, where: str, **metadata: str) -> int:
    """Take rows out; how many."""

    def act() -> int:
        n_rows, until_now = matching(tables, name, where)
        if n_rows:
            tables.delete(name, until_now, **metadata)
        return n_rows

    return until_committed(name, act)


def _with_their_predictions(tables: Tables, use_case: UseCase, before: datetime) -> int:
    """Take out labels by keys whose predictions are all older than a moment; how many."""
    if not (tables.exists("feedback") and tables.exists("predictions")):
        return 0

    def act() -> int:
        opened = label_tables(tables)
        keys = shared_keys(opened, use_case.keys)
        leaving = tables.query(leaving_sql(keys, before), **opened) if keys else pa.table({})
        same = " AND ".join(f"t.{quoted(key)} = s.{quoted(key)}" for key in keys)
        on = (
            f"t.prediction_id IS NULL AND {same} AND t.event_time IS NOT DISTINCT FROM s.event_time"
        )
        return tables.delete_matching("feedback", leaving, on) if leaving.num_rows else 0

    return until_committed("feedback", act)


def until_committed(name: TableName, change: Callable[[], T]) -> T:
    """What `change` answers, which changes a table; Unavailable when it fails every time.

    A writer that comes between wins, and then it is done again.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(CommitFailedError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(PAUSE_S),
    )
    try:
        return retrying(change)
    except RetryError as error:
        raise Unavailable(
            f"Table {name!r} changed {ATTEMPTS} times while it was worked on; try again."
        ) from error


def matching(tables: Tables, name: TableName, where: str) -> tuple[int, str]:
    """How many rows there are, and a condition for them that no row of a later moment meets.

    Delta refuses a deletion during which a file came that may hold such rows, and a file of the
    shipper may hold any key. Its times tell that it is younger: than all rows until now, and older
    than those of a clock that ran ahead.
    """
    opened, arrived = tables.open(name), ARRIVED.get(name)
    if not arrived:
        sql = f"SELECT count(*) AS n FROM t WHERE {where}"  # noqa: S608
        return int(tables.query(sql, t=opened).column("n")[0].as_py()), where
    ahead = f"{arrived} > {moment(datetime.now(UTC))}"
    sql = (
        f"SELECT {ahead} AS ahead, count(*) AS n, min({arrived}) AS first, "  # noqa: S608
        f"max({arrived}) AS last FROM t WHERE {where} GROUP BY 1"
    )
    groups = tables.query(sql, t=opened).to_pylist()
    times = [
        f"{arrived} BETWEEN {moment(group['first'])} AND {moment(group['last'])}"
        for group in groups
        if group["first"] is not None
    ]
    within = " OR ".join([*times, f"{arrived} IS NULL"])
    return sum(group["n"] for group in groups), f"({where}) AND ({within})"
