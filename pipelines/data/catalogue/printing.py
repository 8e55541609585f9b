"""What is known of tables, on a person's screen."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from pipelines.runtime.console import console, count


def show(action: str, about: str, table: str, answer: Any) -> None:
    """Print the answer of an action about a use case, or about a table of it."""
    match action:
        case "list":
            _rows(f"Tables of {about}", answer, "none yet; an ingest comes first")
        case "search":
            _rows(
                f"Found in {about}", answer, "nothing; --action list shows which tables there are"
            )
        case "describe":
            _description(answer)
        case "profile":
            _rows(f"{table} of {about}", [_profile(column) for column in answer], "no columns")
        case _:
            _difference(about, answer)


def _description(description: Mapping[str, Any]) -> None:
    screen, fresh = console(), description["freshness"]
    screen.print(
        f"[bold]{escape(description['table'])}[/bold] of {escape(description['use_case'])}, "
        f"{count(description['rows'])} rows: {description['meaning']}"
    )
    screen.print(f"owner: {description['owner'] or 'not declared'}", markup=False)
    late = f", LATE: every {fresh['expected_every']} is expected" if fresh["late"] else ""
    newest = f", newest event {fresh['newest_event']}" if fresh["newest_event"] else ""
    screen.print(f"written: {fresh['written']:%Y-%m-%d %H:%M} UTC{newest}{late}", markup=False)
    validation = description["last_validation"]
    screen.print(
        f"last validation: {json.dumps(validation) if validation else 'none yet'}", markup=False
    )
    _rows("Columns", description["columns"], "none")
    _rows("Versions", description["versions"], "none")
    _rows("Validations", description["validations"], "none yet")
    _rows("Models made of it", description["models"], "none")


def _profile(column: Mapping[str, Any]) -> dict[str, str]:
    """A column's profile as a row of text."""
    mean, quartiles = column["mean"], column["quartiles"]
    return {
        "column": column["name"],
        "rows": count(column["rows"]),
        "null": f"{column['null_share']:.1%}",
        "distinct": "–" if column["distinct"] is None else count(column["distinct"]),
        "low": _value(column["low"]),
        "quartiles": "" if quartiles is None else " · ".join(map(_value, quartiles)),
        "high": _value(column["high"]),
        "mean": "" if mean is None else f"{mean:.4g} ± {column['deviation'] or 0:.3g}",
        "commonest": "personal: masked"
        if column["masked"]
        else ", ".join(f"{value} ({count(rows)})" for value, rows in column["common"][:3]),
    }


def _difference(about: str, answer: Mapping[str, Any]) -> None:
    screen = console()
    screen.print(
        f"{answer['table']} of {about}: version {answer['before']} ({count(answer['rows_before'])} "
        f"rows) → {answer['after']} ({count(answer['rows_after'])} rows)",
        markup=False,
    )
    if answer["keys"]:
        screen.print(
            f"rows by {', '.join(answer['keys'])}: {count(answer['added'])} added, "
            f"{count(answer['removed'])} removed, {count(answer['changed'])} changed",
            markup=False,
        )
    else:
        screen.print("Rows can't be paired: no key tells them apart in both versions.")
    for what in ("added", "removed", "retyped"):
        if names := answer[f"columns_{what}"]:
            screen.print(f"columns {what}: {', '.join(names)}", markup=False)
    _rows("Columns", [_changed(column) for column in answer["columns"]], "none in both versions")


def _changed(column: Mapping[str, Any]) -> dict[str, str]:
    changed = column["changed"]
    means = (column["mean_before"], column["mean_after"])
    return {
        "column": column["name"],
        "changed": "–" if changed is None else count(changed),
        "nulls": f"{count(column['nulls_before'])} → {count(column['nulls_after'])}",
        "mean": "" if None in means else " → ".join(map(_value, means)),
    }


def _value(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _rows(title: str, rows: Sequence[Mapping[str, Any]], none: str) -> None:
    if not rows:
        console().print(f"{title}: {none}", markup=False)
        return
    shown = Table(title=escape(title), title_justify="left")
    for name in rows[0]:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(escape("" if value is None else str(value)) for value in row.values()))
    console().print(shown)
