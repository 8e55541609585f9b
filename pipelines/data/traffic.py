"""Logged traffic: the rows that were answered in a window, beside their labels so far."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import pyarrow as pa
import typer
from deltalake import DeltaTable

from contract.errors import BadInput, Refused
from contract.store.labels import NO_LABELS, labels_sql, shared_keys
from contract.store.sql import quoted
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import altered
from monitoring.windows.window import Window, WindowRequest, literal, read_day, resolve

FromOption = Annotated[
    str, typer.Option("--from", help="First day, e.g. 2013-07-01; no days: the newest window.")
]
ToOption = Annotated[str, typer.Option("--to", help="First day after the window.")]


@dataclass(frozen=True)
class Traffic:
    """A window of `predictions` at one version of the tables, so that all questions agree."""

    window: Window
    opened: dict[str, DeltaTable]
    labels: str  # SQL: prediction_id, label, key_id

    @property
    def source(self) -> str:
        """SQL: predictions `p` of the window beside their labels `l`."""
        where = " AND ".join(["true", *self.window.where])
        return (
            f"FROM predictions p LEFT JOIN ({self.labels}) l "
            f"ON l.prediction_id = p.prediction_id WHERE {where}"
        )

    @property
    def versions(self) -> dict[str, int]:
        """Table versions that are read."""
        return {name: int(table.version()) for name, table in self.opened.items()}

    def stream(self, tables: Tables, sql: str) -> Iterator[pa.Table]:
        """The answer of a query over the window, part by part."""
        return tables.stream(sql, **self.opened)

    def ask(self, tables: Tables, what: str) -> dict[str, Any]:
        """The only row of a query over the window."""
        answer = tables.query(f"SELECT {what} {self.source}", **self.opened)
        row: dict[str, Any] = answer.to_pylist()[0]
        return row


def read_traffic(
    tables: Tables,
    use_case: UseCase,
    first: str,
    last: str,
    true_by: datetime | None = None,
    versions: Mapping[str, int] | None = None,
) -> Traffic:
    """The traffic of the days [first, last) in the use case's time zone; BadInput without any.

    With `true_by`, as of then: beside the labels that were known. `versions` of the tables are
    those that an earlier look read; without, the newest.
    """
    if not tables.exists("predictions"):
        raise BadInput(
            f"No prediction of {use_case.name!r} is logged yet; the service logs what it answers."
        )
    asked = WindowRequest(read_day("from", first), read_day("to", last), to_judge=False)
    window = resolve(asked, tables, use_case, true_by or datetime.now(UTC))
    if versions:
        window = replace(window, table_version=versions["predictions"])
    opened = {"predictions": tables.open("predictions", window.table_version)}
    labels = NO_LABELS
    if "feedback" in versions if versions else tables.exists("feedback"):
        opened["feedback"] = tables.open("feedback", (versions or {}).get("feedback"))
        where = " AND ".join(["true", *window.where])
        labels = labels_sql(shared_keys(opened, use_case.keys), where, true_by=true_by)
    return Traffic(window, opened, labels)


def inputs_sql(
    traffic: Traffic, features: Sequence[str], use_case: UseCase, before: str = ""
) -> str:
    """SQL of features as they were sent, `before` before their names where others stand beside.

    Refused where the log does not hold one of them so.
    """
    if hidden := [name for name in altered(use_case) if name in features]:
        raise Refused(
            f"The log does not hold {', '.join(hidden)} as sent (personal columns are hashed or "
            "left out), so nothing can be computed from it; columns say log: keep where it may."
        )
    schema = pa.schema(traffic.opened["predictions"].schema().to_arrow())
    there = {field.name for field in schema.field("inputs").type}
    if missing := [name for name in features if name not in there]:
        raise Refused(f"The log has no feature {', '.join(missing)}; versions since add them.")
    return ", ".join(f"p.inputs[{literal(name)}] AS {quoted(before + name)}" for name in features)
