"""A subject of data: which rows of each table are about it, as conditions in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contract.errors import BadInput
from contract.names import TableName
from contract.store.cells import BadCell, reader_of
from contract.store.labels import moment
from contract.store.tables import Tables, quoted
from contract.use_case.loader import nearest
from contract.use_case.local_time import NotOneMoment
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from monitoring.windows.window import literal

PLAIN: tuple[TableName, ...] = ("raw", "quarantine", "training", "holdout", "labelled")
LOGGED: tuple[TableName, ...] = ("predictions", "feedback", "feedback_quarantine")
IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class Subject:
    """Values of key columns that name it, and how the log spells them."""

    values: Mapping[str, Any]
    pseudonymiser: Pseudonymiser

    @property
    def unlogged(self) -> list[str]:
        """Keys that the log leaves out: by them it can't be searched."""
        return [name for name in self.values if name in self.pseudonymiser.dropped]

    @property
    def hashed(self) -> list[str]:
        """Keys that the log holds as a hash."""
        return [name for name in self.values if name in self.pseudonymiser.hashed]

    def where(self, table: TableName) -> str:
        """The condition for rows of a table with the subject's keys, however it spells them."""
        first, *more = self.spellings(table)
        return " OR ".join(f"({one})" for one in (first, *more)) if more else first

    def spellings(self, table: TableName) -> list[str]:
        """Conditions, one for each way in which a table may spell the subject's keys.

        The log may hold rows from before a column was hidden.
        """
        plain = self._condition(table, self.values)
        if table in PLAIN or not self.hashed:
            return [plain]
        covered = {
            name: self.pseudonymiser.value(name, value) for name, value in self.values.items()
        }
        return [self._condition(table, covered), plain]

    def _condition(self, table: TableName, values: Mapping[str, Any]) -> str:
        terms = []
        for name, value in values.items():
            column = quoted(name)
            if table == "feedback_quarantine":
                terms.append(f"{column} = {literal(str(value))}")
            elif table in LOGGED and name in self.hashed:  # of whichever type the column is
                terms.append(f"CAST({column} AS VARCHAR) = CAST({as_sql(value)} AS VARCHAR)")
            else:
                terms.append(f"{column} = {as_sql(value)}")
        return " AND ".join(terms)

    def prediction_ids(self, tables: Tables) -> list[str]:
        """Ids of its predictions."""
        if not tables.exists("predictions") or self.unlogged:
            return []
        where = self.where("predictions")
        rows = tables.read("predictions", columns=["prediction_id"], where=where)
        ids: list[str] = rows.column("prediction_id").to_pylist()
        return ids


def read_subject(text: str, use_case: UseCase, pseudonymiser: Pseudonymiser) -> Subject:
    """The subject that `value` or `column=value,column=value` names; BadInput if that is none."""
    parts = [part.partition("=") for part in text.split(",")]
    keys = list(use_case.keys)
    given = {name.strip(): value.strip() for name, sign, value in parts if sign}
    if not given.keys() & set(keys) and text and len(keys) == 1:
        given = {keys[0]: text}
    strange = next((name for name in given if name not in keys), "")
    if strange or not given:
        hint = f" {nearest(strange, keys)}" if strange else ""
        raise BadInput(f"key: column=value of {', '.join(keys)} is needed.{hint}")
    values = {}
    for name, value in given.items():
        try:
            values[name] = reader_of(use_case, use_case.columns[name]).read(value)
        except (BadCell, NotOneMoment) as error:
            raise BadInput(f"key: {name}: {error}.") from None
        if values[name] is None:
            raise BadInput(f"key: {name} has no value; one is needed.")
    return Subject(values, pseudonymiser)


def by_ids(ids: Sequence[str]) -> list[str]:
    """Conditions for rows that name one of these predictions, some at a time."""
    parts = [ids[at : at + IDS_AT_ONCE] for at in range(0, len(ids), IDS_AT_ONCE)]
    return [f"prediction_id IN ({', '.join(map(literal, part))})" for part in parts]


def as_sql(value: Any) -> str:
    """A plain value as SQL."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return str(value).lower()
    return literal(value) if isinstance(value, str) else repr(value)
