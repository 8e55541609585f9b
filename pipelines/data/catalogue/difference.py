"""What changed between two versions of a table: columns, rows by their keys, values by column."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from contract.errors import BadInput
from contract.names import ROW_HASH, TableName
from contract.store import upkeep
from contract.store.sql import quoted
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from pipelines.data.catalogue.known import KnownUseCase

NUMBERED: dict[TableName, tuple[str, ...]] = {
    "predictions": ("prediction_id",),
    "ledger": ("number",),
}


@dataclass(frozen=True)
class ColumnDifference:
    """One column in both versions. Of a personal column the means are not told."""

    name: str
    changed: int | None  # rows of both versions in which the value differs; None: can't be told
    nulls_before: int
    nulls_after: int
    mean_before: float | None
    mean_after: float | None


@dataclass(frozen=True)
class TableDifference:
    """Two versions of one table."""

    table: TableName
    before: int
    after: int
    rows_before: int
    rows_after: int
    keys: tuple[str, ...]  # that pair the rows; empty: rows can't be paired
    added: int | None
    removed: int | None
    changed: int | None  # rows of both in which a value differs
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[str, ...]
    columns: tuple[ColumnDifference, ...]

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def difference(
    tables: Tables, table: TableName, known: KnownUseCase, after: int | None, before: int | None
) -> TableDifference:
    """From version `before` (None: the one before `after`) to `after` (None: the newest)."""
    new = tables.version(table) if after is None else after
    old = _before(tables, table, new) if before is None else before
    sides = {"a": tables.open(table, old), "b": tables.open(table, new)}
    one, other = (pa.schema(side.schema().to_arrow()) for side in sides.values())
    both = [field for field in other if field.name in one.names]
    same = [f for f in both if one.field(f.name).type == f.type and not pa.types.is_nested(f.type)]
    pair = _keys(table, known.declared, [field.name for field in same])
    rows_before, rows_after = (_rows(tables, side) for side in sides.values())
    unique = bool(pair) and all(
        _rows(tables, side, pair) == rows
        for side, rows in zip(sides.values(), (rows_before, rows_after), strict=True)
    )
    keys = pair if unique else ()
    matched = _matched(tables, sides, keys, [f.name for f in same]) if keys else None
    return TableDifference(
        table=table,
        before=old,
        after=new,
        rows_before=rows_before,
        rows_after=rows_after,
        keys=keys,
        added=rows_after - matched["rows"] if matched else None,
        removed=rows_before - matched["rows"] if matched else None,
        changed=matched["changed"] if matched else None,
        columns_added=tuple(n for n in other.names if n not in one.names),
        columns_removed=tuple(n for n in one.names if n not in other.names),
        columns_retyped=tuple(f.name for f in both if one.field(f.name).type != f.type),
        columns=_columns(tables, sides, same, known, matched),
    )


def _before(tables: Tables, table: TableName, version: int) -> int:
    """The newest version older than this one that changed rows; BadInput where there is none."""
    older = [
        int(str(entry["version"]))
        for entry in tables.history(table)
        if int(str(entry["version"])) < version and entry.get("operation") not in upkeep.OPERATIONS
    ]
    if not older:
        raise BadInput(
            f"Table {table!r} of {tables.use_case!r} has no version before {version} to compare "
            "with; --before names one."
        )
    return max(older)


def _keys(table: TableName, declared: UseCase | None, there: Sequence[str]) -> tuple[str, ...]:
    keys = NUMBERED.get(table) or (declared.keys if declared else ())
    return keys if set(keys) <= set(there) else ()


def _rows(tables: Tables, opened: DeltaTable, keys: Sequence[str] = ()) -> int:
    """Rows of a version; with keys, how many different ones."""
    named = ", ".join(map(quoted, keys))
    rows = f"(SELECT DISTINCT {named} FROM t)" if keys else "t"  # noqa: S608, quoted names
    return int(tables.query(f"SELECT count(*) FROM {rows}", t=opened).column(0)[0].as_py())  # noqa: S608


def _matched(
    tables: Tables, sides: dict[str, DeltaTable], keys: Sequence[str], names: Sequence[str]
) -> dict[str, int]:
    """Rows of both versions: how many, in how many a value differs, and in how many each does."""
    on = " AND ".join(f"a.{quoted(key)} = b.{quoted(key)}" for key in keys)
    differs = {n: f"(a.{quoted(n)} IS DISTINCT FROM b.{quoted(n)})" for n in names if n not in keys}
    any_of = " OR ".join(differs.values()) or "false"
    counts = [
        f"count(*) FILTER (WHERE {test}) AS c{at}" for at, test in enumerate(differs.values())
    ]
    wanted = ", ".join(["count(*) AS n", f"count(*) FILTER (WHERE {any_of}) AS changed", *counts])
    row = tables.query(f"SELECT {wanted} FROM a JOIN b ON {on}", **sides).to_pylist()[0]  # noqa: S608
    by_column = {name: row[f"c{at}"] for at, name in enumerate(differs)}
    return {f"column {name}": rows for name, rows in by_column.items()} | {
        "rows": row["n"],
        "changed": row["changed"],
    }


def _columns(
    tables: Tables,
    sides: dict[str, DeltaTable],
    fields: Sequence[pa.Field],
    known: KnownUseCase,
    matched: dict[str, int] | None,
) -> tuple[ColumnDifference, ...]:
    old, new = (_figures(tables, side, fields, known) for side in sides.values())
    return tuple(
        ColumnDifference(
            name=field.name,
            changed=matched.get(f"column {field.name}", 0) if matched else None,
            nulls_before=old[at][0],
            nulls_after=new[at][0],
            mean_before=old[at][1],
            mean_after=new[at][1],
        )
        for at, field in enumerate(fields)
    )


def _figures(
    tables: Tables, opened: DeltaTable, fields: Sequence[pa.Field], known: KnownUseCase
) -> list[tuple[int, float | None]]:
    """Nulls and mean of each column; no mean of what is no number or personal."""
    wanted = []
    for at, field in enumerate(fields):
        name = quoted(field.name)
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        shown = number and field.name != ROW_HASH and not known.personal(field.name)
        wanted.append(f"count(*) FILTER (WHERE {name} IS NULL) AS n{at}")
        wanted.append(f"avg({name}) AS m{at}" if shown else f"CAST(NULL AS DOUBLE) AS m{at}")
    if not wanted:
        return []
    row = tables.query(f"SELECT {', '.join(wanted)} FROM t", t=opened).to_pylist()[0]  # noqa: S608
    return [(row[f"n{at}"], row[f"m{at}"]) for at in range(len(fields))]
