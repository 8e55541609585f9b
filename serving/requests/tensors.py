"""Tensors in JSON, as the Open Inference Protocol has them, to columns and back."""

import json
import math
import re
from typing import Any

from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.columns import LONGEST_HINT, SentColumns
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
# The largest that does not round to infinity: half a step above the largest that there is.
FLOATS = {"FP16": 65_520.0, "FP32": 2.0**128 - 2.0**103, "FP64": math.inf}
ALL_TYPES = {"BOOL", "BYTES", *FLOATS, *WHOLE}
# kserve's client repeats model and version of the address in the body.
NAMES = ("id", "model_name", "model_version")
REQUEST = {*NAMES, "parameters", "inputs", "outputs"}
TENSOR = {"name", "shape", "datatype", "parameters", "data"}
WORD = re.compile(r"[A-Za-z_]{1,40}")  # of a member that may be repeated: no value of a row
# How MLServer's codecs write what a column holds; base64, pickles and the like are not read.
CONTENT_TYPES = {"str", "np", "pd", "datetime"}


def datatype(column: Column) -> str:
    """The datatype of a column; a nullable integer is float64, as in the MLflow signature."""
    if column.type == "integer" and column.nullable:
        return "FP64"
    return DATATYPES[column.type]


def tensor_columns(body: Any, use_case: UseCase) -> SentColumns:
    """Columns of an inference request: one tensor of [n] or [n, 1] for each."""
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list):
        raise _bad("The body must be a JSON object with a list of inputs.")
    _check_members(body, REQUEST, "The request")
    for name in NAMES:
        if not isinstance(body.get(name), str | None):
            raise _bad(f"{name} must be a text.")
    _check_parameters(body, "The request")
    columns: dict[str, list[Any]] = {}
    for at, tensor in enumerate(body["inputs"]):
        if not isinstance(tensor, dict) or not {"name", "shape", "datatype", "data"} <= set(tensor):
            raise _bad(f"Input {at} must hold name, shape, datatype and data.")
        _check_members(tensor, TENSOR, f"Input {at}")
        name = tensor["name"]
        if not isinstance(name, str) or name in columns:
            raise _bad(f"Input {at} must have a name of its own.")
        # An unknown name is not repeated; its place in the request stands for it.
        place = f"Input {name!r}" if name in use_case.columns else f"Input {at}"
        _check_parameters(tensor, place)
        columns[name] = _data(tensor, place)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise _bad("The inputs hold unequal numbers of rows.")
    return SentColumns(columns, lengths.pop() if lengths else 0)


def _check_members(found: dict[str, Any], known: set[str], place: str) -> None:
    """A Problem that names the nearest known member where there is an unknown one."""
    for name in found:
        if name not in known:
            which = repr(name) if WORD.fullmatch(name) else "a member"
            hint = nearest(name[:LONGEST_HINT], sorted(known))
            raise _bad(f"{place} holds {which}, which is unknown; {hint}.".replace("?.", "?"))


def _check_parameters(found: dict[str, Any], place: str) -> None:
    """A Problem unless the parameters, if any, are such as change nothing here."""
    parameters = found.get("parameters")
    if not isinstance(parameters, dict | None):
        raise _bad(f"{place}: parameters must be an object.")
    kind = (parameters or {}).get("content_type")
    if not (kind is None or (isinstance(kind, str) and kind in CONTENT_TYPES)):
        known = ", ".join(sorted(CONTENT_TYPES))
        raise _bad(f"{place}: content_type may be {known}; values are sent as they are.")


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
    if any(isinstance(value, list) for value in data):
        data = _unnested(data, shape, place)
    if len(data) != math.prod(shape):
        raise _bad(f"{place}: shape says {math.prod(shape)} values, data holds {len(data)}.")
    for row, value in enumerate(data):
        if value is not None and not _fits(value, kind):
            what = f"{kind} expected, found another type or range."
            raise Problem("bad_cell", f"{place[0].lower()}{place[1:]}: {what}", row)
    return data


def _unnested(data: list[Any], shape: list[int], place: str) -> list[Any]:
    """The values of lists of one value each, which only a shape of [n, 1] may have."""
    one_each = all(isinstance(row, list) and len(row) == 1 for row in data)
    if len(shape) == 1 or not one_each:
        form = "a list of values" if len(shape) == 1 else "a list of values, or of lists of one"
        raise _bad(f"{place}: data of this shape must be {form}.")
    return [row[0] for row in data]


def _fits(value: Any, kind: str) -> bool:
    if kind == "BYTES":
        return isinstance(value, str)
    if kind == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind in FLOATS:
        return abs(value) < FLOATS[kind]
    low, high = WHOLE[kind]
    return value == value // 1 and low <= value < high
