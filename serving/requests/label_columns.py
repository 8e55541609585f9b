"""The members of a row of feedback and their check, over HTTP and for imported tables alike."""

import re
from datetime import datetime, timedelta
from typing import Any

from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.columns import LONGEST_HINT, MISSING, SentColumns, cell, refuse
from serving.requests.errors import Problem

PREDICTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{1,9}")
CLOCK_SKEW = timedelta(minutes=5)  # label_time may lie so far ahead of our clock


def rows_of(body: Any) -> list[dict[str, Any]]:
    """The rows of a body: `{"rows": [...]}`, or one row by itself."""
    rows = [body] if isinstance(body, dict) and set(body) != {"rows"} else None
    if isinstance(body, dict) and rows is None:
        rows = body["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem("bad_body", 'One label as an object is needed, or {"rows": [objects]}.')
    return rows


def members(use_case: UseCase) -> dict[str, Column]:
    """The members of a row of feedback: its subject, the label, and the time of the label."""
    names = [*use_case.label_keys, *([use_case.event_time] if use_case.event_time else [])]
    subject = {
        name: Column(type=column.type, unit=column.unit, nullable=True)
        for name, column in ((name, use_case.columns[name]) for name in names)
    }
    return {
        **subject,
        "prediction_id": Column(type="string", nullable=True),
        "label": Column(type=use_case.answer_type),
        "label_time": Column(type="timestamp", nullable=True),
    }


def names_a_row(use_case: UseCase) -> str:
    """What names the prediction that a label is about, in words."""
    return " or ".join(filter(None, ["prediction_id", " and ".join(use_case.label_keys)]))


def keys_of(columns: dict[str, list[Any]], use_case: UseCase) -> dict[str, list[Any]]:
    """Keys of checked columns, (n_rows,) each; null where they name no row."""
    nothing = [None] * len(columns["label"])
    return {key: columns.get(key, nothing) for key in use_case.keys}


def check_labels(sent: SentColumns, use_case: UseCase, now: datetime) -> dict[str, list[Any]]:
    """Every member as a column of its type, (n_rows,); a Problem at the first row that is wrong."""
    declared, zone = members(use_case), use_case.zone
    for name, values in sent.columns.items():
        if name not in declared:
            row = next(i for i, value in enumerate(values) if value is not MISSING)
            if name in use_case.keys:
                raise _nameless(row, use_case)
            hint = nearest(name[:LONGEST_HINT], list(declared))
            raise Problem("bad_cell", f"unknown member; {hint}", row)
    columns: dict[str, list[Any]] = {}
    for name, column in declared.items():
        default = None if column.nullable else MISSING
        values = sent.columns.get(name) or [MISSING] * sent.n_rows
        given = [default if value is MISSING else value for value in values]
        columns[name] = [cell(value, row, name, column, zone) for row, value in enumerate(given)]
    for row in range(sent.n_rows):
        _check_row(row, {name: values[row] for name, values in columns.items()}, use_case, now)
    return columns


def _check_row(row: int, label: dict[str, Any], use_case: UseCase, now: datetime) -> None:
    keys = [name for name in use_case.label_keys if label[name] is not None]
    prediction_id = label["prediction_id"]
    if prediction_id is not None and not PREDICTION_ID.fullmatch(prediction_id):
        refuse(row, "prediction_id", "the id of a prediction", "another text")
    if (prediction_id is not None) == bool(keys) or (keys and len(keys) < len(use_case.keys)):
        raise _nameless(row, use_case)
    if problem := label_problem(use_case.columns[use_case.target], label["label"]):
        raise Problem("bad_cell", f"{problem}.", row, "label")
    if label["label_time"] is not None and label["label_time"] > now + CLOCK_SKEW:
        refuse(row, "label_time", "a time that has passed", "a later one")


def label_problem(target: Column, label: object) -> str:
    """Why a value of the target's type can't be a label, by the rules of ingest; "" if it can."""
    categories = target.categories if target.unseen == "reject" else None
    if categories is not None and label not in categories:
        return f"one of {', '.join(categories)} expected, found another value"
    if isinstance(label, int | float):
        if target.min is not None and label < target.min:
            return f"at least {target.min:g} expected, found less"
        if target.max is not None and label > target.max:
            return f"at most {target.max:g} expected, found more"
    return ""


def _nameless(row: int, use_case: UseCase) -> Problem:
    why = ", and not both" if use_case.label_keys else ": the log leaves out a key"
    why = why if use_case.keys else ": rows have no keys by which a label could name them"
    return Problem("bad_cell", f"{names_a_row(use_case)} is needed{why}.", row)
