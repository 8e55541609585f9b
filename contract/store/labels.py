"""Labels: which label counts for each prediction, out of all that feedback ever said.

Statements about a prediction stand in the order of their label times, those of one time in the
order of their first arrival; equal neighbours are one revision, and the newest revision counts. So
labels follow from the set of statements alone: it does not matter in which order they came, how
often, or by which host. A statement whose prediction is not in the table yet is pending; it counts
as soon as the prediction is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deltalake import DeltaTable

from contract.store.sql import quoted
from contract.store.tables import Tables

# A label can't be known after it was said: a time ahead of its arrival is a clock that is ahead.
_KNOWN = "least(label_time, received_time)"
_ORDER = f"PARTITION BY prediction_id ORDER BY {_KNOWN}, received_time, label"

# In place of `labels_sql` while there is no table `feedback`: the columns that are read, no row.
NO_LABELS = (
    "SELECT CAST(NULL AS VARCHAR) AS prediction_id, NULL AS label, CAST(NULL AS TIMESTAMP) AS "
    "label_time, CAST(NULL AS VARCHAR) AS key_id WHERE false"
)


@dataclass(frozen=True)
class PendingLabels:
    """Statements that no prediction is known for."""

    pending: int
    overdue: int  # of them, received before the deadline
    oldest: datetime | None  # received


def label_tables(tables: Tables) -> dict[str, DeltaTable]:
    """What the queries of this module are asked over; BadInput while one of them is missing."""
    return {"predictions": tables.open("predictions"), "feedback": tables.open("feedback")}


def shared_keys(opened: dict[str, DeltaTable], keys: Sequence[str]) -> list[str]:
    """Keys by which feedback can find predictions: all, or none where a table lacks one of them.

    The rest would name rows that the label is not about.
    """
    there = [{field.name for field in table.schema().fields} for table in opened.values()]
    return list(keys) if all(names.issuperset(keys) for names in there) else []


def revisions_sql(
    keys: Sequence[str],
    where: str = "true",
    as_of: datetime | None = None,
    true_by: datetime | None = None,
) -> str:
    """Every revision of the label of each prediction `p` for which `where` holds.

    Columns: prediction_id, revision (1, 2, ...), label, label_time, received_time, key_id (who said
    it first), newest. With `as_of`, what was received by then; with `true_by`, what was known by
    then, whenever it was received: other statements are left out.
    """
    changed = (
        f"SELECT *, lag(label) OVER ({_ORDER}) IS DISTINCT FROM label AS changed "  # noqa: S608
        f"FROM ({_statements(keys, where, as_of, true_by)})"
    )
    return (
        f"SELECT prediction_id, row_number() OVER ({_ORDER}) AS revision, label, label_time, "  # noqa: S608
        f"received_time, key_id, lead(label) OVER ({_ORDER}) IS NULL AS newest FROM ({changed}) "
        "WHERE changed"
    )


def labels_sql(
    keys: Sequence[str],
    where: str = "true",
    as_of: datetime | None = None,
    true_by: datetime | None = None,
) -> str:
    """The label that counts for each prediction `p` for which `where` holds, if it has one.

    Columns and times as in `revisions_sql`, without newest. A revision above 1 means that feedback
    contradicted itself.
    """
    return (
        "SELECT prediction_id, revision, label, label_time, received_time, key_id "  # noqa: S608
        f"FROM ({revisions_sql(keys, where, as_of, true_by)}) WHERE newest"
    )


def pending(tables: Tables, keys: Sequence[str], deadline: datetime) -> PendingLabels:
    """Counts of the statements whose prediction is not in the table; overdue are those received
    before `deadline`."""
    if not tables.exists("feedback"):
        return PendingLabels(0, 0, None)
    opened = {"feedback": tables.open("feedback")}
    waiting = "SELECT received_time FROM feedback"
    if tables.exists("predictions"):
        opened = label_tables(tables)
        by_key = _same_row(shared) if (shared := shared_keys(opened, keys)) else "false"
        waiting = " UNION ALL ".join(
            [
                _without("f.prediction_id = p.prediction_id", "f.prediction_id IS NOT NULL"),
                _without(by_key, "f.prediction_id IS NULL"),
            ]
        )
    early = f"received_time < {moment(deadline)}"
    counts = tables.query(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE {early}) AS late, "  # noqa: S608
        f"min(received_time) AS oldest FROM ({waiting})",
        **opened,
    ).to_pylist()[0]
    return PendingLabels(counts["n"], counts["late"], counts["oldest"])


def leaving_sql(keys: Sequence[str], before: datetime) -> str:
    """Keys and event time of statements by keys whose predictions are all older than a moment."""
    named = ", ".join(f"f.{quoted(name)}" for name in (*keys, "event_time"))
    old, new = (
        f"(SELECT * FROM predictions WHERE logged_time {sign} {moment(before)}) p "  # noqa: S608
        f"ON {_same_row(keys)}"
        for sign in ("<", ">=")
    )
    return (
        f"SELECT DISTINCT {named} FROM (SELECT f.* FROM feedback f LEFT SEMI JOIN {old} "  # noqa: S608
        f"WHERE f.prediction_id IS NULL) f LEFT ANTI JOIN {new}"
    )


def moment(time: datetime) -> str:
    """A time with its zone as a SQL value of microseconds in UTC."""
    return f"arrow_cast('{time.isoformat()}', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def _statements(
    keys: Sequence[str], where: str, as_of: datetime | None, true_by: datetime | None
) -> str:
    """One row for each prediction and statement about it; a repetition is as old as the first."""
    statement = "f.label, f.label_time, f.received_time, f.key_id"
    chosen = f"({where})" + (f" AND f.received_time <= {moment(as_of)}" if as_of else "")
    chosen += f" AND f.label_time <= {moment(true_by)}" if true_by else ""
    parts = [
        f"SELECT p.prediction_id, {statement} FROM feedback f JOIN predictions p "  # noqa: S608
        f"ON f.prediction_id = p.prediction_id WHERE {chosen}"
    ]
    if keys:
        parts.append(
            f"SELECT p.prediction_id, {statement} FROM feedback f JOIN predictions p "  # noqa: S608
            f"ON {_same_row(keys)} WHERE f.prediction_id IS NULL AND {chosen}"
        )
    return (
        "SELECT prediction_id, label, label_time, min(received_time) AS received_time, "  # noqa: S608
        "first_value(key_id ORDER BY received_time, key_id) AS key_id "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY prediction_id, label, label_time"
    )


def _without(match: str, where: str) -> str:
    """Statements for which no prediction matches."""
    return (
        f"SELECT f.received_time FROM feedback f LEFT ANTI JOIN predictions p ON {match} "  # noqa: S608
        f"WHERE {where}"
    )


def _same_row(keys: Sequence[str]) -> str:
    same = " AND ".join(f"f.{quoted(key)} = p.{quoted(key)}" for key in keys)
    return f"{same} AND (f.event_time IS NULL OR f.event_time = p.event_time)"
