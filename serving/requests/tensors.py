"""Tensors in JSON, as the Open Inference Protocol has them, to columns and back."""

import json
import math
from typing import Any

from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.columns import SentColumns
from serving.requests.errors import Problem

DATATYPES = {
    "string": "BYTES",
    "integer": "INT64",
    "number": "FP64",
    "boolean": "BOOL",
    "timestamp": "BYTES",  # ISO 8601
}
WHOLE = {
    f"{sign}INT{bits}": (low, high)
    for bits in (8, 16, 32, 64)
    for sign, low, high in (("", -(2 ** (bits - 1)), 2 ** (bits - 1)), ("U", 0, 2**bits))
}
FLOATS = {"FP16", "FP32", "FP64"}
ALL_TYPES = {"BOOL", "BYTES", *FLOATS, *WHOLE}
REQUEST = {"id", "parameters", "inputs", "outputs"}
TENSOR = {"name", "shape", "datatype", "parameters", "data"}


def datatype(column: Column) -> str:
    """The datatype of a column; a nullable integer is float64, as in the MLflow signature."""
    if column.type == "integer" and column.nullable:
        return "FP64"
    return DATATYPES[column.type]


def tensor_columns(body: Any, use_case: UseCase) -> SentColumns:
    """Columns of an inference request: one tensor of [n] or [n, 1] for each."""
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list):
        raise _bad("The body must be a JSON object with a list of inputs.")
    if not set(body) <= REQUEST:
        raise _bad(f"A request may hold {', '.join(sorted(REQUEST))} and nothing else.")
    if not isinstance(body.get("id"), str | None):
        raise _bad("id must be a text.")
    columns: dict[str, list[Any]] = {}
    for at, tensor in enumerate(body["inputs"]):
        if not isinstance(tensor, dict) or not {"name", "shape", "datatype", "data"} <= set(tensor):
            raise _bad(f"Input {at} must hold name, shape, datatype and data.")
        name = tensor["name"]
        if not set(tensor) <= TENSOR or not isinstance(name, str) or name in columns:
            raise _bad(f"Input {at} must be one tensor of its own name, without further members.")
        # An unknown name is not repeated; its place in the request stands for it.
        place = f"Input {name!r}" if name in use_case.columns else f"Input {at}"
        columns[name] = _data(tensor, place)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise _bad("The inputs hold unequal numbers of rows.")
    return SentColumns(columns, lengths.pop() if lengths else 0)


def output_tensors(
    use_case: UseCase,
    classes: tuple[Any, ...],
    prediction: list[Any],
    probability: list[list[float]] | None,
) -> dict[str, dict[str, Any]]:
    """Answers as tensors by name; the classes of `probability` are named in its parameters."""
    n_rows = len(prediction)
    tensors: dict[str, dict[str, Any]] = {
        "prediction": {
            "name": "prediction",
            "shape": [n_rows],
            "datatype": answer_type(use_case),
            "data": prediction,
        }
    }
    if probability is not None:
        tensors["probability"] = {
            "name": "probability",
            "shape": [n_rows, len(classes)],
            "datatype": "FP64",
            "parameters": {"classes": json.dumps(classes)},
            "data": [p for row in probability for p in row],
        }
    return tensors


def answer_type(use_case: UseCase) -> str:
    """The datatype of predictions."""
    return DATATYPES[use_case.answer_type]


def _bad(message: str) -> Problem:
    return Problem("bad_body", message)


def _data(tensor: dict[str, Any], place: str) -> list[Any]:
    shape, kind, data = tensor["shape"], tensor["datatype"], tensor["data"]
    if not isinstance(kind, str) or kind not in ALL_TYPES:
        raise _bad(f"{place}: datatype must be one of {', '.join(sorted(ALL_TYPES))}.")
    whole = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not whole or shape[1:] not in ([], [1]) or not shape:
        raise _bad(f"{place}: shape must be [n] or [n, 1], one value for each row.")
    if not isinstance(data, list):
        raise _bad(f"{place}: data must be a list.")
    if data and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    if len(data) != math.prod(shape):
        raise _bad(f"{place}: shape says {math.prod(shape)} values, data holds {len(data)}.")
    for row, value in enumerate(data):
        if value is not None and not _fits(value, kind):
            what = f"{kind} expected, found another type or range."
            raise Problem("bad_cell", f"{place[0].lower()}{place[1:]}: {what}", row)
    return data


def _fits(value: Any, kind: str) -> bool:
    if kind == "BYTES":
        return isinstance(value, str)
    if kind == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind in FLOATS:
        return True
    low, high = WHOLE[kind]
    return value == value // 1 and low <= value < high
