"""SQL of logged rows whose labels are known, in the columns that the use case declares."""

from contract.errors import Refused
from contract.store.sql import quoted, unlike
from contract.use_case.model import UseCase
from pipelines.data.traffic import Traffic, inputs_sql


def rows_sql(traffic: Traffic, use_case: UseCase) -> str:
    """SQL of the labelled rows in declared columns; Refused where the log lacks one of them.

    A row that was asked several times stands once, by its keys; without keys every answer is one.
    """
    logged = {*use_case.inputs, *use_case.keys, use_case.target, use_case.event_time}
    hidden = [key for key in use_case.keys if use_case.columns[key].logged != "keep"]
    if absent := [*hidden, *(name for name in use_case.columns if name not in logged)]:
        raise Refused(f"The log does not hold the column {', '.join(absent)}, which rows need.")
    keys = "".join(f"p.{quoted(key)}, " for key in use_case.keys)
    inputs = [name for name in use_case.inputs if name not in use_case.keys]
    # What was sent, where the model saw it: the log puts the arrival in the place of no time.
    beside = use_case.event_time and use_case.event_time not in (*inputs, *use_case.keys)
    time = f"p.event_time AS {quoted(str(use_case.event_time))}, " if beside else ""
    nth = quoted(unlike("nth", use_case.columns))
    chosen = (
        f"SELECT {keys}{time}l.label AS {quoted(use_case.target)}, "
        f"{inputs_sql(traffic, inputs, use_case)}, row_number() OVER (PARTITION BY "
        f"{row_sql(use_case)} ORDER BY p.logged_time DESC, p.prediction_id DESC) AS {nth} "
        f"{traffic.source} AND l.label IS NOT NULL AND {named_sql(use_case)}"
    )
    names = ", ".join(map(quoted, use_case.columns))
    return f"SELECT {names} FROM ({chosen}) WHERE {nth} = 1"  # noqa: S608, quoted names


def named_sql(use_case: UseCase) -> str:
    """SQL: whether a prediction `p` was asked for with its keys."""
    return " AND ".join(["true", *(f"p.{quoted(key)} IS NOT NULL" for key in use_case.keys)])


def row_sql(use_case: UseCase) -> str:
    """SQL: the row of data that a prediction `p` is about; without keys each is one of its own."""
    return ", ".join(f"p.{quoted(key)}" for key in use_case.keys) or "p.prediction_id"
