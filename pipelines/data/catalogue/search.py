"""Tables and columns by words: pure, over what is known of all use cases."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from contract.names import TableName
from contract.store.meanings import TABLES
from pipelines.data.catalogue.known import KnownUseCase
from pipelines.data.catalogue.meaning import ColumnMeaning


@dataclass(frozen=True)
class CatalogueEntry:
    """A table, or one column of it, that a person may look for."""

    use_case: str
    table: TableName
    column: str  # "": the table itself
    type: str
    unit: str
    meaning: str
    owner: str

    def document(self) -> dict[str, str]:
        """As plain values."""
        return {name: str(value) for name, value in asdict(self).items()}


def entries(
    known: KnownUseCase, table: TableName, columns: Iterable[ColumnMeaning]
) -> list[CatalogueEntry]:
    """A table and its columns."""
    owner = known.declared.owner if known.declared else ""
    title = known.declared.title if known.declared else known.name
    whole = CatalogueEntry(known.name, table, "", "", "", f"{title}: {TABLES[table]}", owner)
    return [whole] + [
        CatalogueEntry(known.name, table, c.name, c.type, c.unit, c.meaning, owner) for c in columns
    ]


def found(wanted: str, among: Iterable[CatalogueEntry]) -> list[CatalogueEntry]:
    """Entries in which every word stands somewhere, in whatever case, the nearest first.

    A word in the name counts before one in the meaning, and a table before its columns.
    """
    words = wanted.casefold().split()
    ranked = [(_rank(words, entry), entry) for entry in among]
    hits = sorted((pair for pair in ranked if pair[0] is not None), key=lambda pair: pair[0] or 0)
    return [entry for _, entry in hits]


def _rank(words: list[str], entry: CatalogueEntry) -> int | None:
    """How far from what was asked: 0 is nearest; None where a word stands nowhere."""
    name = (entry.column or entry.table).casefold()
    said = (
        f"{entry.use_case} {entry.table} {entry.column} {entry.unit} {entry.meaning} {entry.owner}"
    )
    if not words or not all(word in said.casefold() for word in words):
        return None
    if all(word == name for word in words):
        return 0
    return 1 if all(word in name for word in words) else 2
