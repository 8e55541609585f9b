"""The fast way into checked columns: JSON is decoded straight into one version's own types.

It takes only what the slow way (strict JSON, then a check cell by cell) takes too, with the same
result, and nothing that is to be flagged; for everything else it returns None, and the slow way
decides. So it needs no sentences, and a test holds the two together. About 10 µs for a row instead
of 60.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from contract.store.cells import EXACT, INT64
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.columns import CheckedColumns, optional, read_value

NOT_TAKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)
MOST_ORDERS = 32  # orders of columns whose decoder is kept


class Split(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """`dataframe_split`; its rows wait until the columns are known."""

    columns: list[str]
    data: msgspec.Raw
    index: list[int] | UnsetType = UNSET


class TypedRows:
    """Rows of one use case, decoded straight into their types."""

    def __init__(self, use_case: UseCase) -> None:
        self._inputs = use_case.inputs
        self._keys, self._event_time = use_case.keys, use_case.event_time
        self._columns = {n: use_case.columns[n] for n in use_case.inputs} | optional(use_case)
        self._types = {name: _type(column) for name, column in self._columns.items()}
        self._optional = [name for name in self._columns if name not in self._inputs]
        self._moments = [n for n in self._inputs if self._columns[n].type == "timestamp"]
        texts = ("string", "timestamp")
        self._texts = [name for name, column in self._columns.items() if column.type in texts]
        self._zone = use_case.zone
        self._able = all(map(_plain, self._columns))
        row = _struct("Row", self._types, self._optional) if self._able else Any
        self.rows: Any = list[row]  # type: ignore[valid-type]
        self._orders: dict[tuple[str, ...], msgspec.json.Decoder[Any]] = {}

    def decoder(
        self, name: str, members: dict[str, Any], optional: bool = False
    ) -> msgspec.json.Decoder[Any] | None:
        """A decoder of bodies with these members and types; None where a name forbids the rows."""
        if not self._able:
            return None
        fields: list[Any] = [
            (member, kind | UnsetType, UNSET) if optional else (member, kind)
            for member, kind in members.items()
        ]
        return msgspec.json.Decoder(msgspec.defstruct(name, fields, forbid_unknown_fields=True))

    def of_rows(self, body: bytes, rows: list[Any]) -> CheckedColumns | None:
        """Columns of a body that holds these rows; None where its members do not add up."""
        by_column = _by_column([*map(msgspec.structs.astuple, rows)])
        columns = dict(zip(self._columns, by_column, strict=False))
        unset = sum(columns[name].count(UNSET) for name in self._optional) if rows else 0
        return self._checked(body, columns, len(rows), 1 + len(rows) * len(self._columns) - unset)

    def of_split(self, body: bytes, split: Split) -> CheckedColumns | None:
        """Columns of a body that holds these rows in an order of its own."""
        order = tuple(split.columns)
        decoder = self._orders.get(order)
        if decoder is None:
            if len(set(order)) != len(order) or len(self._orders) >= MOST_ORDERS:
                return None
            if not set(self._inputs) <= set(order) <= set(self._columns):
                return None
            row = tuple.__class_getitem__(tuple(self._types[name] for name in order))
            decoder = self._orders[order] = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
        rows = decoder.decode(split.data)
        if split.index is not UNSET and len(split.index) != len(rows):
            return None
        columns = dict(zip(order, _by_column(rows), strict=False))
        members = 3 if split.index is UNSET else 4
        return self._checked(body, columns, len(rows), members)

    def _checked(
        self, body: bytes, columns: dict[str, list[Any]], n_rows: int, members: int
    ) -> CheckedColumns | None:
        if not n_rows or not self._each_member_once(body, members, columns):
            return None
        unset: list[None] = [None] * n_rows
        others = {
            name: self._read(name, columns[name]) if name in columns else list[Any](unset)
            for name in self._optional
        }
        alone = len(columns) == len(self._inputs)
        inputs = columns if alone else {name: columns[name] for name in self._inputs}
        for name in self._moments:
            inputs[name] = self._read(name, inputs[name])
        others |= inputs
        return CheckedColumns(
            inputs,
            {key: others[key] for key in self._keys},
            others[self._event_time] if self._event_time else list[datetime | None](unset),
            [[] for _ in unset],
        )

    def _each_member_once(self, body: bytes, members: int, columns: dict[str, list[Any]]) -> bool:
        """Whether no object names a member twice, of which msgspec would keep the last.

        Without escapes, a colon of the body belongs to a member or stands in a text. So when the
        members that were kept and the texts that were kept account for all colons, none was lost.
        """
        if b"\\" in body:
            return False
        colons = body.count(b":") - members
        if colons:
            for name in self._texts:
                for value in columns.get(name, ()):
                    if isinstance(value, str):
                        colons -= value.count(":")
        return not colons

    def _read(self, name: str, values: list[Any]) -> list[Any]:
        if name in self._optional:
            values = [None if value is UNSET else value for value in values]
        if self._columns[name].type != "timestamp":
            return values
        column, zone = self._columns[name], self._zone
        if len(values) == 1 and isinstance(values[0], str):
            if (moment := read_value(values[0], column, zone)) is None:
                raise ValueError("a text that is no timestamp")
            return [moment]
        # Rows of one body often share a time, and reading one costs as much as half a row.
        known = {value: read_value(value, column, zone) for value in {*values} - {None}}
        times = [*map(known.get, values)]
        if times.count(None) != values.count(None):
            raise ValueError("a text that is no timestamp")
        return times


def _by_column(rows: Sequence[Sequence[Any]]) -> Iterable[list[Any]]:
    """The values of each column; one row, which is asked most often, costs half in this way."""
    return [[value] for value in rows[0]] if len(rows) == 1 else map(list, zip(*rows, strict=True))


def is_set(member: Any) -> bool:
    """Whether a body holds an optional member."""
    return member is not UNSET


def _plain(name: str) -> bool:
    """Whether JSON writes a name as it is, which msgspec asks of a struct's fields.

    A colon in it would count as a member's. Rows with another name go the slow way.
    """
    return ":" not in name and msgspec.json.encode(name) == f'"{name}"'.encode()


def _type(column: Column) -> Any:
    """The type that takes a column's usual values and nothing else."""
    low, high = column.min, column.max
    kind: Any
    if column.type == "string":
        kind = Literal.__getitem__(column.categories) if column.categories else str
    elif column.type == "integer":
        bounds: dict[str, Any] = {
            "ge": -INT64 if low is None else max(-INT64, math.ceil(low)),
            "le": INT64 - 1 if high is None else min(INT64 - 1, math.floor(high)),
        }
        kind = Annotated[int, Meta(**bounds)]
    elif column.type == "number":
        # Strictly below 2^53: an integer above it would be rounded before it is compared.
        above: dict[str, Any] = {"gt": -float(EXACT)}
        if low is not None and low > -EXACT:
            above = {"ge": low}
        below: dict[str, Any] = {"lt": float(EXACT)}
        if high is not None and high < EXACT:
            below = {"le": high}
        kind = Annotated[float, Meta(**above, **below)]
    else:
        kind = {"boolean": bool, "timestamp": str}[column.type]
    return kind | None if column.nullable else kind


def _struct(name: str, types: dict[str, Any], optional: list[str]) -> Any:
    """A row: inputs needed, keys and event time optional."""
    fields: list[Any] = []
    for i, (column, kind) in enumerate(types.items()):
        unset = column in optional
        fields.append((f"f{i}", kind | UnsetType, UNSET) if unset else (f"f{i}", kind))
    rename = {f"f{i}": column for i, column in enumerate(types)}
    return msgspec.defstruct(name, fields, rename=rename, forbid_unknown_fields=True, gc=False)
