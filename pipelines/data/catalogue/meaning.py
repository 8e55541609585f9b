"""What a table is for and what its columns mean: what the use case declares, and what is ours."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from contract.names import DELIVERY, REASONS, ROW_HASH, TableName
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.split import GroupSplit
from pipelines.data.catalogue.known import KnownUseCase

TABLES: Mapping[TableName, str] = {
    "raw": "every row that the source delivered, checked or not",
    "quarantine": "rows that failed an expectation, with the reasons; nothing is trained on them",
    "training": "the rows that the newest model was fitted on",
    "holdout": "the newest labelled rows, seen by no model, on which versions are measured",
    "predictions": "every answer of the service, with what was asked",
    "feedback": "labels that arrived after their prediction",
    "feedback_quarantine": "labels that could not be taken, with the reasons",
    "labelled": "answers whose labels are known, as rows to train on",
    "ledger": "every move of every version: who, when, why",
    "lease": "who may work on the use case now",
}
OURS = {
    ROW_HASH: "hash of the row's declared columns",
    DELIVERY: "number of the delivery that brought the row",
    REASONS: "expectations that the row failed",
    "prediction_id": "id of the answer: the request's id and the row in it",
    "request_id": "id of the request",
    "row": "place of the row in its request, from 0",
    "event_time": "when it happened, as it was sent, else when it arrived",
    "event_date": "day of the event, UTC",
    "logged_time": "when the answer was given, UTC",
    "model": "use case that answered",
    "version": "version that answered; in the ledger, that was moved",
    "schema_hash": "hash of the columns that the version takes",
    "inputs": "what was asked, column by column",
    "prediction": "the answer",
    "probability": "of each class, in the order of the classes",
    "latency_ms": "time that the answer took in the service",
    "flags": "what was noticed, such as a value never seen in training",
    "key_id": "API key that asked, or that said the label",
    "shadow": "what the challenger would have answered",
    "shadow_version": "the challenger that was asked",
    "source": "where it was asked: http, form or batch",
    "label": "what turned out to be true",
    "label_time": "when that was known",
    "received_time": "when the label arrived, UTC",
    "reason": "why the label was not taken",
}
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


def meanings(schema: pa.Schema, known: KnownUseCase) -> list[ColumnMeaning]:
    """Every column of a table in its order."""
    return [_meaning(field, known) for field in schema]


def _meaning(field: pa.Field, known: KnownUseCase) -> ColumnMeaning:
    declared = known.declared
    column = declared.columns.get(field.name) if declared else None
    if declared is None or column is None:
        return ColumnMeaning(
            name=field.name,
            type=str(field.type),
            unit=UNITS.get(field.name, ""),
            meaning=OURS.get(field.name, KEPT),
            role="ours",
            nullable=bool(field.nullable),
            allowed="",
            personal=field.name not in OURS and known.personal(field.name),
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
