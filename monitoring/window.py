"""Read a time slice of the predictions table as plain columns."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pandas as pd

from contract.errors import BadInput
from contract.fingerprint import value_hash
from contract.predictions import PARTITION
from contract.tables import Tables, quoted
from contract.use_case import UseCase


@dataclass(frozen=True)
class Window:
    """Days [start, end) in the use case's time zone; None is open."""

    start: date | None = None
    end: date | None = None

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return "all predictions"
        return f"{self.start or '…'} to {self.end or '…'}"


@dataclass(frozen=True)
class WindowRows:
    """Features and predictions of a window, (n_rows, ...), and a hash of which rows they are."""

    frame: pd.DataFrame
    content: str


def read_window(tables: Tables, use_case: UseCase, version: str, window: Window) -> WindowRows:
    """Rows that a version answered in the window; no table means no rows."""
    names = [*use_case.features, "prediction"]
    if not tables.exists("predictions"):
        return WindowRows(pd.DataFrame(columns=names), value_hash([]))
    inputs = ", ".join(f"t.inputs[{_literal(n)}] AS {quoted(n)}" for n in use_case.features)
    rows = tables.query(
        f"SELECT prediction_id, {inputs}, prediction FROM t "  # noqa: S608, quoted names
        f"WHERE {_where(use_case, version, window)} ORDER BY prediction_id",
        t=tables.open("predictions"),
    )
    return WindowRows(
        rows.drop_columns(["prediction_id"]).to_pandas(),
        value_hash(rows.column("prediction_id").to_pylist()),
    )


def read_day(name: str, text: str) -> date | None:
    """A day of the command line; empty is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(f"{name}: a day like 2013-07-01 is needed, found {text!r}.") from None


def _where(use_case: UseCase, version: str, window: Window) -> str:
    terms = [f"version = {_literal(version)}"]
    zone = ZoneInfo(use_case.time_zone)
    for day, sign, partition_sign in ((window.start, ">=", ">="), (window.end, "<", "<=")):
        if day is not None:
            moment = datetime.combine(day, time(), zone).astimezone(UTC)
            terms.append(f"event_time {sign} TIMESTAMP '{moment:%Y-%m-%dT%H:%M:%SZ}'")
            # Said of the partition too, so that the files of other days are not even opened.
            terms.append(f"{PARTITION} {partition_sign} DATE '{moment:%Y-%m-%d}'")
    return " AND ".join(terms)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
