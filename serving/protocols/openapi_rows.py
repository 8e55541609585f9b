"""A row of a use case in OpenAPI's words, and an example of it that the service answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contract.markdown import plain
from contract.store.cells import INT64
from contract.use_case.local_time import PER_SECOND
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.columns import optional, range_of
from serving.scoring.scorer import Predictions
from serving.scoring.version import Golden, ServedVersion

Schema = dict[str, Any]

INSTANT = "2024-01-01T00:00:00Z"


def example_row(served: ServedVersion) -> dict[str, Any]:
    """A row that the version answers: a real one of its holdout, the first that lacks least.

    Where it holds none, the middle of the range and the first of the categories. Times are text.
    """
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in _example(served).items()
    }


def one_row(served: ServedVersion) -> Golden:
    """The example row as the only golden one, without its answer."""
    columns = {name: [value] for name, value in _example(served).items()}
    return Golden(columns, Predictions([], None))


def _example(served: ServedVersion) -> dict[str, Any]:
    if served.golden and served.golden.rows:
        row = min(served.golden.rows, key=lambda values: values.count(None))
        return dict(zip(served.golden.columns, row, strict=True))
    return {name: example(served.use_case.columns[name]) for name in served.use_case.inputs}


def column_schema(column: Column) -> Schema:
    """Type, unit, range and categories of a column; what is only unusual stands in words."""
    kinds: dict[str, Schema] = {
        "string": {"type": "string"},
        "integer": {"type": "integer", "minimum": -INT64, "maximum": INT64 - 1},
        "number": {"type": "number"},
        "boolean": {"type": "boolean"},
        "timestamp": {"type": "string", "format": "date-time"},
    }
    schema = kinds[column.type]
    if column.type == "timestamp" and column.unit in PER_SECOND:
        schema["type"] = ["string", "number"]
    notes = [column.description] if column.description else []
    if column.unit:
        notes.append(f"in {column.unit}")
        schema["x-unit"] = column.unit
    if column.categories and column.unseen == "reject":
        schema["enum"] = [*column.categories, *([None] if column.nullable else [])]
    elif column.categories:
        notes.append(f"usually one of {', '.join(column.categories)}")
    if column.out_of_range == "reject":
        schema |= {"minimum": column.min} if column.min is not None else {}
        schema |= {"maximum": column.max} if column.max is not None else {}
    elif (column.min, column.max) != (None, None):
        notes.append(f"usually {range_of(column)}")
    if column.nullable:
        types = schema["type"]
        schema["type"] = [*([types] if isinstance(types, str) else types), "null"]
    return schema | ({"description": plain("; ".join(notes))} if notes else {})


def row_schema(use_case: UseCase, examples: Sequence[dict[str, Any]] = ()) -> Schema:
    """One row as an object: inputs needed, keys and event time optional."""
    columns = {n: use_case.columns[n] for n in use_case.inputs} | optional(use_case)
    return {
        "type": "object",
        "required": list(use_case.inputs),
        "properties": {name: column_schema(column) for name, column in columns.items()},
        "additionalProperties": False,
        **({"examples": list(examples)} if examples else {}),
    }


def example(column: Column) -> Any:
    """A value that a column takes."""
    if column.type == "string":
        return column.categories[0] if column.categories else "text"
    if column.type in ("boolean", "timestamp"):
        return True if column.type == "boolean" else INSTANT
    bounds = [bound for bound in (column.min, column.max) if bound is not None]
    middle = sum(bounds) / len(bounds) if bounds else 0.0
    return int(middle) if column.type == "integer" else middle
