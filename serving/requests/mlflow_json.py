"""Bodies of /invocations and /predict in JSON, as columns."""

from typing import Any

from contract.use_case.model import UseCase
from serving.requests.columns import SentColumns, transpose
from serving.requests.errors import Problem

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def invocation_columns(body: Any, use_case: UseCase) -> SentColumns:
    """Columns of an MLflow scoring request: exactly one of its four forms."""
    if not isinstance(body, dict):
        raise _bad(f"The body must be a JSON object with one of {', '.join(FORMS)}.")
    forms = [form for form in FORMS if form in body]
    if len(forms) != 1:
        raise _bad(f"Exactly one of {', '.join(FORMS)} is needed, found {len(forms)}.")
    foreign = sorted(set(body) - {*forms, "params"})
    if foreign or body.get("params"):
        raise _bad("Only the rows are accepted; this model takes no params.")
    form = forms[0]
    if form == "dataframe_split":
        return _split(body[form])
    if form == "dataframe_records":
        return _records(body[form], form)
    if form == "inputs" and isinstance(body[form], dict):
        return _by_column(body[form])
    return _instances(body[form], form, list(use_case.features))


def predict_columns(body: Any, _: UseCase) -> SentColumns:
    """Columns of a /predict request: `{"rows": [{column: value}, ...]}`."""
    if not isinstance(body, dict) or set(body) != {"rows"}:
        raise _bad('The body must be a JSON object with "rows" alone.')
    return _records(body["rows"], "rows")


def _bad(message: str) -> Problem:
    return Problem("bad_body", message)


def _records(rows: Any, form: str) -> SentColumns:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _bad(f"{form} must be a list of objects, one for each row.")
    return transpose(rows)


def _split(body: Any) -> SentColumns:
    needed = {"columns", "data"}
    if not isinstance(body, dict) or not needed <= set(body) <= {*needed, "index"}:
        raise _bad("dataframe_split needs columns and data, and may hold index.")
    columns = body["columns"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise _bad("dataframe_split.columns must be a list of names.")
    return matrix(body["data"], columns, "dataframe_split.data")


def matrix(data: Any, columns: list[str], form: str) -> SentColumns:
    """Rows that are lists, under these names."""
    if len(set(columns)) != len(columns):
        raise _bad(f"{form} names a column twice.")
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise _bad(f"{form} must be a list of rows.")
    for i, row in enumerate(data):
        if len(row) != len(columns):
            what = f"{len(columns)} values expected, found {len(row)}."
            raise Problem("bad_body", what, i)
    return SentColumns(
        dict(zip(columns, map(list, zip(*data, strict=True)), strict=False)), len(data)
    )


def _instances(data: Any, form: str, names: list[str]) -> SentColumns:
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        return matrix(data, names, form)
    return _records(data, form)


def _by_column(data: dict[str, Any]) -> SentColumns:
    if not all(isinstance(values, list) for values in data.values()):
        raise _bad("inputs must hold a list of values for each column.")
    if len({len(values) for values in data.values()}) > 1:
        raise _bad("inputs holds columns of unequal length.")
    return SentColumns(data, len(next(iter(data.values()), [])))
