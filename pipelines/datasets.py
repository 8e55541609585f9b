"""Datasets: find curated tables, learn what their columns mean, and read any of their versions."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import pyarrow as pa
import pyarrow.csv
import typer
from rich.markup import escape
from rich.table import Table

from contract.errors import BadInput
from contract.names import TableName
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case, nearest
from contract.use_case.model import UseCase
from pipelines.runtime import cli
from pipelines.runtime.console import console, count
from tracking.tags import DATA_VERSION_TAG, STEP_TAG

ActionOption = Annotated[str, typer.Option(help="list, describe or read.")]
TableOption = Annotated[str, typer.Option(help="Table to describe or read, e.g. training.")]
TableVersionOption = Annotated[str, typer.Option(help="Its version; empty: the newest.")]
LimitOption = Annotated[str, typer.Option(help="Rows to read; 0: all.")]


def read_table(
    use_case: str, table: str, version: int | None = None, root: str = "", limit: int = 0
) -> pa.Table:
    """Rows of a table of a use case at a version (newest: None); `limit` 0 means all."""
    _, tables = _open(use_case, root)
    rows = tables.read(known_table(table), version)
    return rows.slice(0, limit) if limit else rows


def list_tables(use_case: str, root: str = "") -> list[dict[str, Any]]:
    """Every table there is: name, newest version, rows, when it was written."""
    _, tables = _open(use_case, root)
    return [_summary(tables, name) for name in get_args(TableName) if tables.exists(name)]


def describe_table(use_case: str, table: str, root: str = "") -> dict[str, Any]:
    """Owner, columns with meaning and unit, versions, and the last validation of a table."""
    declared, tables = _open(use_case, root)
    name = known_table(table)
    schema = tables.schema(name)
    return {
        **_summary(tables, name),
        "use_case": declared.title,
        "owner": declared.owner,
        "columns": [_column(declared, field) for field in schema],
        "versions": [_commit(entry) for entry in tables.history(name)],
        "last_validation": last_validation(declared, root),
    }


def last_validation(use_case: UseCase, root: str = "") -> dict[str, Any] | None:
    """Run, result and raw version of the newest finished validation, if there was one."""
    # MLflow takes seconds to import, and no other question here needs it.
    from contract.names import experiment
    from pipelines.validate import STEP
    from tracking.store import connect

    client = connect(read_settings(root))
    training = client.get_experiment_by_name(experiment(use_case.name, "training"))
    if training is None:
        return None
    wanted = f"tags.{STEP_TAG} = '{STEP.name}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([training.experiment_id], wanted, max_results=1)
    if not runs:
        return None
    figures = runs[0].data.metrics
    return {
        "run": runs[0].info.run_id,
        "data_version": runs[0].data.tags.get(DATA_VERSION_TAG),
        "expectations_passed": figures.get("expectations_passed"),
        "expectations_failed": figures.get("expectations_failed"),
        "rows_quarantined": figures.get("rows_quarantined"),
    }


def known_table(name: str) -> TableName:
    """The name as a table's; BadInput for any other."""
    for table in get_args(TableName):
        if name == table:
            return table  # type: ignore[no-any-return]
    raise BadInput(f"No table is called {name!r}; {nearest(name, list(get_args(TableName)))}")


def _open(use_case: str, root: str) -> tuple[UseCase, Tables]:
    declared = load_use_case(use_case)
    return declared, Tables(read_settings(root).table_root, declared.name)


def _summary(tables: Tables, name: TableName) -> dict[str, Any]:
    rows = tables.query("SELECT count(*) AS n FROM t", t=tables.open(name)).column("n")[0].as_py()
    newest = _commit(tables.history(name)[0])
    return {"table": name, "version": newest["version"], "rows": rows, "written": newest["written"]}


def _commit(entry: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
    return {
        "version": entry.get("version"),
        "written": moment.isoformat(timespec="seconds"),
        "operation": entry.get("operation"),
        "content_hash": entry.get("content_hash"),
    }


def _column(use_case: UseCase, field: pa.Field) -> dict[str, Any]:
    declared = use_case.columns.get(field.name)
    return {
        "name": field.name,
        "type": str(field.type),
        "unit": declared.unit if declared else "",
        "meaning": declared.description if declared else "kept by the pipeline",
    }


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    action: ActionOption = "list",
    table: TableOption = "",
    version: TableVersionOption = "",
    limit: LimitOption = "20",
    as_json: cli.JsonOption = "",
) -> None:
    """Datasets: list, describe and read the curated tables of a use case."""
    if action not in ("list", "describe", "read"):
        raise BadInput(f"action: list, describe or read is needed, found {action!r}.")
    if action != "list" and not table:
        raise BadInput(f"{action} needs --table; --action list shows which there are.")
    if action == "read":
        at = int(version) if version else None
        rows = read_table(use_case, table, at, root, int(limit))
        plain = [field.name for field in rows.schema if not pa.types.is_nested(field.type)]
        pyarrow.csv.write_csv(rows.select(plain), sys.stdout.buffer)
        return
    answer = (
        list_tables(use_case, root) if action == "list" else describe_table(use_case, table, root)
    )
    if cli.flag(as_json):
        print(json.dumps(answer, indent=2, default=str))
    elif isinstance(answer, list):
        _print_rows(f"Tables of {use_case}", answer)
    else:
        _print_description(answer)


def _print_description(description: dict[str, Any]) -> None:
    screen = console()
    screen.print(
        f"[bold]{description['table']}[/bold] of {description['use_case']}, "
        f"{count(description['rows'])} rows"
    )
    screen.print(f"owner: {description['owner'] or 'not declared'}", markup=False)
    validation = description["last_validation"]
    screen.print(
        f"last validation: {json.dumps(validation) if validation else 'none yet'}", markup=False
    )
    _print_rows("Columns", description["columns"])
    _print_rows("Versions", description["versions"])


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        console().print(f"{title}: none yet; an ingest comes first")
        return
    shown = Table(title=title, title_justify="left")
    for name in rows[0]:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(escape("" if value is None else str(value)) for value in row.values()))
    console().print(shown)


if __name__ == "__main__":
    cli.run(main)
