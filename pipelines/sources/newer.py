"""What is new in a source: the rows at or after the newest ones that were read before.

At, not after: rows may come late with a time that others had, too. Rows that are read twice are no
matter, for `raw` tells them by their hashes. A row without a value is always read.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput
from contract.store.rows.fingerprint import value_hash
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase

Mark = int | str | datetime | date


@dataclass(frozen=True)
class Newer:
    """Rows whose value of a column is this one or a later one, or null."""

    column: str
    than: Mark
    time_zone: str = "UTC"  # of times without a zone

    def like(self, kind: pa.DataType) -> Mark:
        """The mark as a value of a column of this type: with a zone or without."""
        if not isinstance(self.than, datetime) or not pa.types.is_timestamp(kind):
            return self.than
        aware = (
            self.than if self.than.tzinfo else self.than.replace(tzinfo=ZoneInfo(self.time_zone))
        )
        # An hour that the clock shows twice is taken from its first time on.
        local = aware.astimezone(ZoneInfo(self.time_zone)).replace(tzinfo=None, fold=0)
        return aware.astimezone(UTC) if kind.tz else local

    def rows_of(self, kind: pa.DataType) -> pc.Expression | None:
        """The condition for rows of an Arrow data set whose column has this type.

        None where the column holds something else now, so that all of it is read.
        """
        field = pc.field(self.column)
        try:
            than = pa.scalar(self.like(kind)).cast(kind, safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        return (field >= than) | field.is_null()


def newest(rows: pa.Table, column: str) -> Mark | None:
    """The mark up to which `rows` reach, None without one; BadInput where there is no such column.

    Text counts in the order of its characters, as SQLite, Delta and folders keep it.
    """
    if column not in rows.column_names:
        raise BadInput(
            f"source.since: the source has no column {column!r}; "
            f"{nearest(column, rows.column_names)}"
        )
    values = rows.column(column)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_timestamp(values.type):
        values = values.cast(
            pa.timestamp("us", values.type.tz), safe=False
        )  # rounded down: earlier
    try:
        found = pc.max(values).as_py() if not pa.types.is_null(values.type) else None
    except OverflowError:
        raise BadInput(
            f"source.since: the column {column!r} holds a time beyond the years 1 to 9999, after "
            "which nothing is new; leave it out, or make it null where it comes from."
        ) from None
    except pa.ArrowNotImplementedError:
        found = False  # the type has no order
    if isinstance(found, Decimal) and found == found.to_integral_value():
        found = int(found)
    if found is not None and (isinstance(found, bool) or not isinstance(found, Mark)):
        raise BadInput(
            f"source.since: the column {column!r} holds {values.type}; times, dates, whole numbers "
            "or text can say what is new."
        )
    return found


def noted(use_case: UseCase, mark: Mark | None) -> str:
    """A mark as text, with the source that it belongs to; "" for none."""
    if mark is None:
        return ""
    value = mark if isinstance(mark, int | str) else mark.isoformat()
    return json.dumps([_source(use_case), type(mark).__name__, value])


def read_note(use_case: UseCase, note: str) -> Newer | None:
    """What is newer than a noted mark; None without one, or where it is of another source."""
    if not note or not use_case.source.since:
        return None
    source, kind, value = json.loads(note)
    if source != _source(use_case):
        return None
    return Newer(use_case.source.since, _MARKS[kind](value), use_case.time_zone)


_MARKS: Mapping[str, Callable[[Any], Mark]] = {
    "int": int,
    "str": str,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
}


def _source(use_case: UseCase) -> str:
    return value_hash([use_case.source.model_dump(mode="json"), use_case.time_zone])
