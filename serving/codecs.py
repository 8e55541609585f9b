"""Turn request bodies into checked columns; every error names row, column and types, no value."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from contract.use_case import Column, UseCase
from contract.use_case_file import nearest

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
INT64 = 2**63
LONGEST_HINT = 100  # characters of a stranger's name that are compared with ours

Rows = list[dict[str, Any]]


class BadRequest(ValueError):
    """The body can't be answered; the message is one sentence for the caller."""


@dataclass(frozen=True)
class Request:
    """Checked rows as columns: features, and the keys and event times that were sent."""

    features: dict[str, list[Any]]
    keys: dict[str, list[Any]]
    event_time: list[datetime | None]

    @property
    def n_rows(self) -> int:
        """How many rows were sent."""
        return len(self.event_time)


def parse_json(body: bytes) -> Any:
    """JSON by the letter: no NaN, no Infinity, no name twice, no lone surrogates, bounded depth."""
    try:
        found = json.loads(
            body.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_once,
        )
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # a lone surrogate fails here
    except (ValueError, RecursionError):
        raise BadRequest(
            "The body is not valid JSON in UTF-8 with finite numbers and no name twice."
        ) from None
    return found


def invocation_rows(body: Any, use_case: UseCase) -> Rows:
    """Rows of an MLflow scoring request: exactly one of its four forms."""
    if not isinstance(body, dict):
        raise BadRequest(f"The body must be a JSON object with one of {', '.join(FORMS)}.")
    forms = [form for form in FORMS if form in body]
    if len(forms) != 1:
        raise BadRequest(f"Exactly one of {', '.join(FORMS)} is needed, found {len(forms)}.")
    foreign = sorted(set(body) - {*forms, "params"})
    if foreign or body.get("params"):
        raise BadRequest("Only the rows are accepted; this model takes no params.")
    readers: dict[str, Callable[[Any, UseCase], Rows]] = {
        "dataframe_split": _split,
        "dataframe_records": _records,
        "instances": _instances,
        "inputs": _inputs,
    }
    return readers[forms[0]](body[forms[0]], use_case)


def predict_rows(body: Any) -> Rows:
    """Rows of a /predict request: `{"rows": [{column: value}, ...]}`."""
    if not isinstance(body, dict) or set(body) != {"rows"}:
        raise BadRequest('The body must be a JSON object with "rows" alone.')
    return _list_of_objects(body["rows"], "rows")


def check(rows: Rows, use_case: UseCase, max_rows: int) -> Request:
    """Check every cell against the use case; BadRequest at the first that does not fit."""
    if not rows:
        raise BadRequest("There are no rows; one at least is needed.")
    if len(rows) > max_rows:
        raise TooMuch(f"{len(rows)} rows were sent, at most {max_rows} are allowed.")
    optional = [*use_case.keys, *([use_case.event_time] if use_case.event_time else [])]
    known = [*use_case.features, *optional]
    for i, row in enumerate(rows):
        for name in row:
            if name not in known:
                raise BadRequest(f"Row {i}: unknown column; {nearest(name[:LONGEST_HINT], known)}")
        for name in use_case.features:
            if name not in row:
                raise BadRequest(f"Row {i}: column {name!r} is missing.")
    features = {n: _column(rows, n, use_case.columns[n]) for n in use_case.features}
    loose = {n: use_case.columns[n].model_copy(update={"nullable": True}) for n in optional}
    extra = {n: _column(rows, n, column) for n, column in loose.items()}
    times = extra[use_case.event_time] if use_case.event_time else [None] * len(rows)
    return Request(features, {key: extra[key] for key in use_case.keys}, times)


class TooMuch(BadRequest):
    """More rows or bytes than the limit."""


def _column(rows: Rows, name: str, column: Column) -> list[Any]:
    return [_cell(row.get(name), i, name, column) for i, row in enumerate(rows)]


def _cell(value: Any, row: int, name: str, column: Column) -> Any:
    if value is None:
        if not column.nullable:
            _refuse(row, name, column.type, "null")
        return None
    read = {
        "string": _text,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
        "timestamp": _timestamp,
    }[column.type]
    found = read(value)
    if found is None:
        _refuse(row, name, column.type, _kind(value))
    if column.unseen == "reject" and column.categories and found not in column.categories:
        _refuse(row, name, f"one of {', '.join(column.categories)}", "another value")
    if (
        column.out_of_range == "reject"
        and isinstance(found, int | float)
        and _outside(found, column)
    ):
        limits = f"{column.type} from {column.min:g} to {column.max:g}"
        _refuse(row, name, limits, "a value outside")
    return found


def _outside(value: float, column: Column) -> bool:
    below = column.min is not None and value < column.min
    return below or (column.max is not None and value > column.max)


def _refuse(row: int, name: str, expected: str, found: str) -> NoReturn:
    raise BadRequest(f"Row {row}, column {name!r}: {expected} expected, found {found}.")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= 2**53 or isinstance(value, float) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if -INT64 <= value < INT64 else None


def _timestamp(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):  # year 1 east of Greenwich is no UTC time
        return None


def _kind(value: Any) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "text", list: "list"}
    return kinds.get(type(value), "object")


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a member twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return value


def _list_of_objects(rows: Any, form: str) -> Rows:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest(f"{form} must be a list of objects, one for each row.")
    return rows


def _records(rows: Any, _: UseCase) -> Rows:
    return _list_of_objects(rows, "dataframe_records")


def _split(body: Any, _: UseCase) -> Rows:
    if not isinstance(body, dict) or not {"columns", "data"} <= set(body) <= {
        "columns",
        "data",
        "index",
    }:
        raise BadRequest("dataframe_split needs columns and data, and may hold index.")
    columns, data = body["columns"], body["data"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise BadRequest("dataframe_split.columns must be a list of names.")
    if len(set(columns)) != len(columns):
        raise BadRequest("dataframe_split.columns names a column twice.")
    return _matrix(data, columns, "dataframe_split.data")


def _matrix(data: Any, columns: list[str], form: str) -> Rows:
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise BadRequest(f"{form} must be a list of rows.")
    for i, row in enumerate(data):
        if len(row) != len(columns):
            raise BadRequest(f"Row {i}: {len(columns)} values expected, found {len(row)}.")
    return [dict(zip(columns, row, strict=True)) for row in data]


def _instances(data: Any, use_case: UseCase) -> Rows:
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        return _matrix(data, list(use_case.features), "instances")
    return _list_of_objects(data, "instances")


def _inputs(data: Any, use_case: UseCase) -> Rows:
    if not isinstance(data, dict):
        return _instances(data, use_case)
    if not all(isinstance(values, list) for values in data.values()):
        raise BadRequest("inputs must hold a list of values for each column.")
    if len({len(values) for values in data.values()}) > 1:
        raise BadRequest("inputs holds columns of unequal length.")
    n_rows = len(next(iter(data.values()), []))
    return [{name: values[i] for name, values in data.items()} for i in range(n_rows)]
