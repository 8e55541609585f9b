"""Datasets: find curated tables, learn what they mean and hold, and read any of their versions."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import typer

from contract.errors import BadInput
from contract.names import TableName
from contract.settings import Settings, read_settings
from contract.store.tables import Tables
from contract.use_case.loader import SHIPPED, load_use_case, nearest
from pipelines.data.catalogue.printing import show
from pipelines.runtime import cli
from pipelines.runtime.keeping.table_copies import saved, use_cases

if TYPE_CHECKING:  # MLflow takes seconds to import, and files of today answer most questions
    from mlflow import MlflowClient

    from pipelines.data.catalogue.known import KnownUseCase

ACTIONS = ("list", "search", "describe", "read", "profile", "diff")
DEFAULT = "flights"

DatasetsUseCaseOption = Annotated[
    str,
    typer.Option(
        help="A shipped use case, one that the store knows, or the path of a YAML file; empty: all "
        f"for list and search, else {DEFAULT}."
    ),
]
ActionOption = Annotated[str, typer.Option(help=f"{', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}.")]
TableOption = Annotated[str, typer.Option(help="Table to look at, e.g. training.")]
TableVersionOption = Annotated[str, typer.Option(help="Its version; empty: the newest.")]
BeforeOption = Annotated[
    str, typer.Option(help="diff: the older version; empty: the one before that changed rows.")
]
LimitOption = Annotated[str, typer.Option(help="Rows to read; 0: all.")]
WordsOption = Annotated[str, typer.Option(help="search: words, e.g. 'wind mph'.")]
PersonalOption = Annotated[
    str, typer.Option(help="read: yes: show personal columns as they are; else they are masked.")
]


def read_table(
    use_case: str, table: str, version: int | None = None, root: str = "", limit: int = 0
) -> pa.Table:
    """Rows of a table of a use case at a version (newest: None); `limit` 0 means all.

    They are as they stand there: who trains on them needs personal columns too.
    """
    _, tables = _open(use_case, root)
    rows = tables.read(known_table(table), version)
    return rows.slice(0, limit) if limit else rows


def list_tables(use_case: str = "", root: str = "") -> list[dict[str, Any]]:
    """Every table there is of a use case, or of all: name, newest version, rows, when written."""
    from pipelines.data.catalogue.facts import summary

    return [
        {"use_case": known.name, "owner": _owner(known), **summary(tables, name)}
        for known, tables in _all(use_case, root)
        for name in saved(tables)
    ]


def search_tables(words: str, use_case: str = "", root: str = "") -> list[dict[str, str]]:
    """Tables and columns in which every word stands, the nearest first."""
    from pipelines.data.catalogue.meaning import meanings
    from pipelines.data.catalogue.search import entries, found

    if not words.strip():
        raise BadInput("search needs --words, e.g. --words 'wind mph'.")
    among = [
        entry
        for known, tables in _all(use_case, root)
        for name in saved(tables)
        for entry in entries(known, name, meanings(name, tables.schema(name), known))
    ]
    return [entry.document() for entry in found(words, among)]


def describe_table(use_case: str, table: str, root: str = "") -> dict[str, Any]:
    """Owner, meaning, freshness, columns, versions, validations and models of a table."""
    from contract.store.meanings import TABLES
    from pipelines.data.catalogue.facts import age, commit, models, summary, validations
    from pipelines.data.catalogue.meaning import meanings

    known, tables = _open(use_case, root)
    name, client = known_table(table), _client(read_settings(root))
    checked = validations(client, known.name)
    fresh = age(tables, name, known, datetime.now(UTC))
    return {
        **summary(tables, name),
        "use_case": known.declared.title if known.declared else known.name,
        "meaning": TABLES[name],
        "owner": _owner(known),
        "freshness": asdict(fresh),
        "columns": [asdict(column) for column in meanings(name, tables.schema(name), known)],
        "versions": [commit(entry) for entry in tables.history(name)],
        "last_validation": next((v for v in checked if v["result"] == "passed"), None),
        "validations": checked,
        "models": models(client, known.name, [name])[name],
    }


def profile_table(
    use_case: str, table: str, version: int | None = None, root: str = ""
) -> list[dict[str, Any]]:
    """What the values of each column look like; of personal columns only how many there are."""
    from pipelines.data.catalogue.meaning import meanings
    from pipelines.data.catalogue.profile import profile

    known, tables = _open(use_case, root)
    name = known_table(table)
    columns = meanings(name, tables.read(name, version, where="false").schema, known)
    return [column.document() for column in profile(tables, name, columns, version)]


def diff_table(
    use_case: str,
    table: str,
    version: int | None = None,
    before: int | None = None,
    root: str = "",
) -> dict[str, Any]:
    """What changed from the version `before` to `version`."""
    from pipelines.data.catalogue.difference import difference

    known, tables = _open(use_case, root)
    return difference(tables, known_table(table), known, version, before).document()


def known_table(name: str) -> TableName:
    """The name as a table's; BadInput for any other."""
    for table in get_args(TableName):
        if name == table:
            return table  # type: ignore[no-any-return]
    raise BadInput(f"No table is called {name!r}; {nearest(name, list(get_args(TableName)))}")


def _open(use_case: str, root: str) -> "tuple[KnownUseCase, Tables]":
    """A use case by its file, or, where only the store knows it, by its newest version."""
    from pipelines.data.catalogue.known import KnownUseCase, known

    settings = read_settings(root)
    if _only_stored(use_case, settings):
        return known(use_case, _client(settings)), Tables(settings.table_root, use_case)
    declared = load_use_case(use_case)
    tables = Tables(settings.table_root, declared.name)
    return KnownUseCase(declared.name, declared), tables


def _all(use_case: str, root: str) -> "list[tuple[KnownUseCase, Tables]]":
    from pipelines.data.catalogue.known import known

    if use_case:
        return [_open(use_case, root)]
    settings = read_settings(root)
    names = use_cases(settings.table_root)
    # Where every name has a file, nobody needs to ask MLflow.
    asked = any(not (SHIPPED / f"{name}.yaml").is_file() for name in names)
    client = _client(settings) if asked else None
    return [(known(name, client), Tables(settings.table_root, name)) for name in names]


def _only_stored(use_case: str, settings: Settings) -> bool:
    if "/" in use_case or use_case.endswith((".yaml", ".yml")):
        return False
    shipped = (SHIPPED / f"{use_case}.yaml").is_file()
    return not shipped and use_case in use_cases(settings.table_root)


def _client(settings: Settings) -> "MlflowClient":
    from tracking.store import connect

    return connect(settings)


def _owner(known: "KnownUseCase") -> str:
    return known.declared.owner if known.declared else ""


def main(
    use_case: DatasetsUseCaseOption = "",
    root: cli.RootOption = "",
    action: ActionOption = "list",
    table: TableOption = "",
    version: TableVersionOption = "",
    before: BeforeOption = "",
    limit: LimitOption = "20",
    words: WordsOption = "",
    personal: PersonalOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Datasets: find, describe, profile, compare and read the curated tables of all use cases."""
    if action not in ACTIONS:
        raise BadInput(f"action: {', '.join(ACTIONS)} is needed, found {action!r}.")
    if action not in ("list", "search") and not table:
        raise BadInput(f"{action} needs --table; --action list shows which there are.")
    named, at = use_case or DEFAULT, _number("version", version)
    answer: Any
    match action:
        case "read":
            _read(named, table, at, root, _number("limit", limit) or 0, cli.flag(personal))
            return
        case "list":
            answer = list_tables(use_case, root)
        case "search":
            answer = search_tables(words, use_case, root)
        case "describe":
            answer = describe_table(named, table, root)
        case "profile":
            answer = profile_table(named, table, at, root)
        case _:
            answer = diff_table(named, table, at, _number("before", before), root)
    if cli.flag(as_json):
        print(json.dumps(answer, indent=2, default=str))
    else:
        show(action, named if use_case or table else "all use cases", table, answer)


def _read(
    use_case: str, table: str, version: int | None, root: str, limit: int, personal: bool
) -> None:
    """Rows as CSV on standard output, lists of texts as one; no other list has a place in it."""
    from pipelines.data.catalogue.meaning import meanings
    from pipelines.data.catalogue.profile import masked

    rows = read_table(use_case, table, version, root, limit)
    if not personal:
        known, _ = _open(use_case, root)
        rows = masked(rows, meanings(known_table(table), rows.schema, known))
    for at, field in enumerate(rows.schema):
        if field.type == pa.list_(pa.string()):
            texts = pc.binary_join(rows.column(at), "; ")
            rows = rows.set_column(at, field.name, texts)
    plain = [field.name for field in rows.schema if not pa.types.is_nested(field.type)]
    pyarrow.csv.write_csv(rows.select(plain), sys.stdout.buffer)


def _number(name: str, text: str) -> int | None:
    if text and not text.isdecimal():
        raise BadInput(f"{name}: a whole number is needed, found {text!r}.")
    return int(text) if text else None


if __name__ == "__main__":
    cli.run(main)
