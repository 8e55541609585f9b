"""What a table is for and what its columns mean: what the use case declares, and what is ours."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from contract.names import TableName
from contract.store.meanings import COLUMNS
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.split import GroupSplit
from pipelines.data.catalogue.known import KnownUseCase

UNITS = {"latency_ms": "ms"}
KEPT = "kept by the pipeline"


@dataclass(frozen=True)
class ColumnMeaning:
    """One column of a table, as everybody who reads it must know it."""

    name: str
    type: str
    unit: str
    meaning: str
    role: str  # key, event time, target, weight, group, input, or ours
    nullable: bool
    allowed: str  # range or categories that are declared
    personal: bool


def meanings(table: TableName, schema: pa.Schema, known: KnownUseCase) -> list[ColumnMeaning]:
    """Every column of a table in its order."""
    return [_meaning(field, COLUMNS[table], known) for field in schema]


def _meaning(field: pa.Field, ours: Mapping[str, str], known: KnownUseCase) -> ColumnMeaning:
    declared = known.declared
    column = declared.columns.get(field.name) if declared else None
    if declared is None or column is None:
        return ColumnMeaning(
            name=field.name,
            type=str(field.type),
            unit=UNITS.get(field.name, ""),
            meaning=ours.get(field.name, KEPT),
            role="ours",
            nullable=bool(field.nullable),
            allowed="",
            personal=field.name not in ours and known.personal(field.name),
        )
    return ColumnMeaning(
        name=field.name,
        type=str(field.type),
        unit=column.unit,
        meaning=column.description,
        role=_role(field.name, declared),
        nullable=column.nullable,
        allowed=_allowed(column),
        personal=known.personal(field.name),
    )


def _role(name: str, declared: UseCase) -> str:
    group = declared.split.column if isinstance(declared.split, GroupSplit) else None
    roles: dict[str | None, str] = {
        declared.target: "target",
        declared.event_time: "event time",
        declared.weight: "weight",
        group: "group",
        **dict.fromkeys(declared.keys, "key"),
    }
    return roles.get(name, "input")


def _allowed(column: Column) -> str:
    if column.categories:
        return ", ".join(column.categories)
    if column.min is None and column.max is None:
        return ""
    low, high = ("" if end is None else f"{end:g}" for end in (column.min, column.max))
    return f"{low or '…'} to {high or '…'}"
