"""Which version is to be served: what the ledger says, or an alias where a setting asks for that.

Anybody who may write to the registry can set an alias. The ledger is written by `promote` and
`rollback`, behind the gate and the release check; with a key, nobody without it can write there
what counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract.names import CHAMPION
from contract.signing import unsigned
from contract.store.ledger import (
    LedgerEntry,
    ShownRegistry,
    broken_link,
    entry_said,
    moved_by_hand,
    read_entries_after,
    to_serve,
    vouched_by,
)
from contract.store.tables import Tables

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is to be served; without a `version` nothing new is."""

    version: str = ""
    package: str = ""  # SHA-256 of its manifest; "" where nobody says
    entry: int = 0  # number of the newest entry that was followed
    trouble: str = ""


PointerReader = Callable[[ShownRegistry, int], Pointer]  # the number: the entry followed before


def by_alias(shown: ShownRegistry, _: int) -> Pointer:
    """Whatever carries the alias `champion`."""
    return Pointer(shown.aliases.get(CHAMPION, ""))


class LedgerReader:
    """The ledger of one registered model.

    A poll asks for commits since the last one, whatever the ledger's length. It is read again when
    there are some, or when the registry begins to show an entry that is not the newest known: a
    table that was put in its place need not be newer.
    """

    def __init__(self, tables: Tables, name: str, verify_key: str = "") -> None:
        self._tables, self._name, self._verify_key = tables, name, verify_key
        self._table: DeltaTable | None = None
        self._at, self._mark, self._entries = -1, "", list[LedgerEntry]()
        self._asked: tuple[int, ShownRegistry, int] | None = None  # and what came of it:
        self._pointer = Pointer()

    def __call__(self, shown: ShownRegistry, seen: int) -> Pointer:
        """What the ledger says; any error where it can't be read."""
        self._read(shown)
        asked = self._at, shown, seen
        if asked != self._asked:
            self._pointer = pointed(self._entries, shown, self._name, self._verify_key, seen)
            self._asked = asked
        return self._pointer

    def _read(self, shown: ShownRegistry) -> None:
        if not self._tables.exists("ledger"):  # what is held open would not notice
            self._table, self._at, self._entries = None, -1, []
            return
        known = self._entries[-1].mark if self._entries else ""
        another = shown.mark not in (known, self._mark)
        table, self._table = self._table, None  # where this fails, the next poll begins anew
        if table is None or another:
            table = self._tables.open("ledger")
        else:
            table.update_incremental()
        self._table = table
        at = int(table.version())
        if at != self._at or another:
            self._at = -1
            self._entries = read_entries_after(self._tables, self._entries)
        self._at, self._mark = at, shown.mark


def pointed(
    entries: list[LedgerEntry], shown: ShownRegistry, name: str, verify_key: str, seen: int
) -> Pointer:
    """What the entries say of the model `name`, of which entry `seen` was followed before."""
    alias = shown.aliases.get(CHAMPION, "")
    served = to_serve(entries)
    if served is None:
        none = (
            f"No promotion of {name} stands in the ledger; the alias {CHAMPION!r} on version "
            f"{alias} was set by hand, which serves nobody"
        )
        return Pointer(entry=seen, trouble=none if alias else "")
    if verify_key and (why := distrust(entries, served, name, verify_key, seen)):
        return Pointer(entry=seen, trouble=why)
    trouble = moved_by_hand(entries, shown, {CHAMPION: served.version})
    return Pointer(served.version, served.package, served.number, trouble)


def distrust(
    entries: list[LedgerEntry], served: LedgerEntry, name: str, verify_key: str, seen: int
) -> str:
    """Why the entry that names the version does not count, as a sentence; "" where it does."""
    if broken := broken_link(entries):
        return f"The ledger is damaged: {broken}"
    if served.number < seen:
        return f"The ledger goes back to entry {served.number}, and entry {seen} was followed"
    found = [
        unsigned(verify_key, entry.signature, *entry_said(name, entry))
        for entry in vouched_by(entries, served)
    ]
    if all(found):
        return (
            f"Entry {served.number} of the ledger, which makes version {served.version} live, does "
            f"not count: {found[0]}"
        )
    return ""
