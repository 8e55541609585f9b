"""A subject of data: which rows of each table are about it, as conditions in SQL.

With keys it is named by some of them. Without, by all cells of its row: those of columns that are
not given are null.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contract.errors import BadInput
from contract.names import TableName
from contract.store.cells import BadCell, reader_of
from contract.store.labels import moment
from contract.store.sql import quoted
from contract.store.tables import Tables
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
    """Values of columns that name it, and how the log spells them.

    `inputs` are the columns among them that stand within `inputs` of an answer, `time` the one that
    an answer has as its event time; what an answer holds of none of them (the target) is not asked.
    """

    values: Mapping[str, Any]
    pseudonymiser: Pseudonymiser
    by_cells: bool = False
    inputs: frozenset[str] = frozenset()
    time: str | None = None

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
        if self.by_cells and table in ("feedback", "feedback_quarantine"):
            return "false"  # labels of rows without keys name predictions
        terms = []
        for name, value in values.items():
            column = quoted(name)
            if self.by_cells and table in LOGGED:
                if name not in self.inputs and name != self.time:
                    continue  # the target, which an answer does not hold
                column = f"inputs[{literal(name)}]" if name in self.inputs else "event_time"
            if value is None:
                terms.append(f"{column} IS NULL")
            elif table == "feedback_quarantine":
                terms.append(f"{column} = {literal(str(value))}")
            elif table in LOGGED and name in self.hashed:  # of whichever type the column is
                terms.append(f"CAST({column} AS VARCHAR) = CAST({as_sql(value)} AS VARCHAR)")
            else:
                terms.append(f"{column} = {as_sql(value)}")
        return " AND ".join(terms) or "false"

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
    keys = list(use_case.keys or use_case.columns)
    given = _given(text)
    if not given.keys() & set(keys) and text and len(keys) == 1:
        given = {keys[0]: text}
    strange = next((name for name in given if name not in keys), "")
    if strange or not given:
        hint = f" {nearest(strange, keys)}" if strange else ""
        raise BadInput(f"key: column=value of {', '.join(keys)} is needed.{hint}")
    values = {name: _read(name, value, use_case) for name, value in given.items()}
    if use_case.keys:
        if empty := next((name for name, value in values.items() if value is None), None):
            raise BadInput(f"key: {empty} has no value; one is needed.")
        return Subject(values, pseudonymiser)
    return _by_cells(values, use_case, pseudonymiser)


def _given(text: str) -> dict[str, str]:
    """Cells as text, of `column=value,column=value` or of an object of JSON."""
    if text.lstrip().startswith("{"):
        try:
            told = json.loads(text)
        except ValueError as error:
            raise BadInput(f"key: an object of JSON can't be read: {error}.") from None
        return {name: _spelled(value) for name, value in told.items()}
    parts = [part.partition("=") for part in text.split(",")]
    return {name.strip(): value.strip() for name, sign, value in parts if sign}


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _read(name: str, text: str, use_case: UseCase) -> Any:
    try:
        return reader_of(use_case, use_case.columns[name]).read(text)
    except (BadCell, NotOneMoment) as error:
        raise BadInput(f"key: {name}: {error}.") from None


def _by_cells(
    values: Mapping[str, Any], use_case: UseCase, pseudonymiser: Pseudonymiser
) -> Subject:
    """The subject of a row without keys; BadInput where a cell is not given that can't be null."""
    left_out = [
        name
        for name, column in use_case.columns.items()
        if name not in values and not (column.nullable or name == use_case.target)
    ]
    if left_out:
        raise BadInput(
            f"key: rows of {use_case.name!r} have no keys, so all cells name one; "
            f"{', '.join(left_out)} is missing."
        )
    cells = {name: values.get(name) for name in use_case.columns}
    inputs = frozenset(use_case.inputs)
    return Subject(cells, pseudonymiser, True, inputs, use_case.event_time)


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
