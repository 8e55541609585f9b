"""The tables of a use case as one HTML page without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflow import MlflowClient

from contract.names import TableName
from contract.pages import render
from contract.store.meanings import TABLES
from contract.store.tables import Tables
from pipelines.data.catalogue.facts import age, models, summary, validations
from pipelines.data.catalogue.known import KnownUseCase
from pipelines.data.catalogue.meaning import ColumnMeaning, meanings
from pipelines.data.catalogue.profile import ColumnProfile, profile

BAR_STEP, BAR_HEIGHT = 8, 24  # pixels
INTERNAL: tuple[TableName, ...] = ("lease",)
PROFILED_ROWS = 2_000_000  # of larger tables the page tells no distributions: they take minutes


@dataclass(frozen=True)
class ShownBar:
    """A step of a histogram; sizes in pixels."""

    x: int
    height: float


@dataclass(frozen=True)
class ShownColumn:
    """A column as a row of the page's table."""

    meaning: ColumnMeaning
    profile: ColumnProfile | None
    range: str
    bars: list[ShownBar]
    told: str  # the drawing in words


def datasets_page(
    known: KnownUseCase,
    tables: Tables,
    names: Sequence[TableName],
    client: MlflowClient,
    now: datetime,
    overview: str,
) -> str:
    """The page; `overview` is the address of the page that leads here."""
    declared = known.declared
    shown = [name for name in names if name not in INTERNAL]
    made_of = models(client, known.name, shown)
    return render(
        __package__,
        "datasets.html.jinja",
        name=known.name,
        title=declared.title if declared else known.name,
        owner=declared.owner if declared else "",
        overview=overview,
        made=f"{now:%Y-%m-%d %H:%M} UTC",
        tables=[_table(known, tables, name, now, made_of[name]) for name in shown],
        validations=validations(client, known.name),
    )


def _table(
    known: KnownUseCase,
    tables: Tables,
    name: TableName,
    now: datetime,
    made_of: list[dict[str, Any]],
) -> dict[str, Any]:
    facts = summary(tables, name)
    columns = meanings(name, tables.schema(name), known)
    few = facts["rows"] <= PROFILED_ROWS
    profiles = {p.name: p for p in profile(tables, name, columns)} if few else {}
    return {
        **facts,
        "meaning": TABLES[name],
        "age": age(tables, name, known, now),
        "columns": [_column(column, profiles.get(column.name)) for column in columns],
        "models": made_of,
    }


def _column(meaning: ColumnMeaning, found: ColumnProfile | None) -> ShownColumn:
    if found is None:
        return ShownColumn(meaning, None, "", [], "")
    top = max(found.bars, default=0)
    bars = [ShownBar(k * BAR_STEP, BAR_HEIGHT * n / top) for k, n in enumerate(found.bars)]
    told = f"rows in {len(bars)} equal steps: {', '.join(map(str, found.bars))}" if bars else ""
    return ShownColumn(meaning, found, _range(found), bars, told)


def _range(found: ColumnProfile) -> str:
    if found.masked:
        return "personal: masked"
    if found.low is not None:
        middle = f", median {found.quartiles[1]:.4g}" if found.quartiles else ""
        low, high = (
            f"{v:.4g}" if isinstance(v, float) else str(v)[:16].replace("T", " ")
            for v in (found.low, found.high)
        )
        return f"{low} to {high}{middle}"
    return ", ".join(f"{value} ({rows:,})" for value, rows in found.common)
