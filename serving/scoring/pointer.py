"""Which version is to be served: what the ledger says, or an alias where a setting asks for that.

Anybody who may write to the registry can set an alias. The ledger is written by `promote` and
`rollback`, behind the gate and the release check; with a key, nobody without it can write there
what counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from contract.names import CHAMPION
from contract.signing import unsigned
from contract.store.ledger import (
    LedgerEntry,
    broken_link,
    entry_said,
    read_entries,
    to_serve,
    vouched_by,
)
from contract.store.tables import Tables


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is to be served; without a `version` nothing new is."""

    version: str = ""
    package: str = ""  # SHA-256 of its manifest; "" where nobody says
    entry: int = 0  # number of the newest entry that was followed
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ShownRegistry:
    """What the registered model shows: versions by alias, and the mark of the ledger."""

    aliases: dict[str, str] = field(default_factory=dict)
    mark: str = ""


PointerReader = Callable[[ShownRegistry, int], Pointer]  # the number: the entry followed before


def by_alias(shown: ShownRegistry, _: int) -> Pointer:
    """Whatever carries the alias `champion`."""
    return Pointer(shown.aliases.get(CHAMPION, ""))


class LedgerReader:
    """The ledger of one registered model, read again when its table has grown."""

    def __init__(self, tables: Tables, name: str, verify_key: str = "") -> None:
        self._tables, self._name, self._verify_key = tables, name, verify_key
        self._at, self._entries = -1, list[LedgerEntry]()

    def __call__(self, shown: ShownRegistry, seen: int) -> Pointer:
        """What the ledger says; any error where it can't be read."""
        return pointed(self._read(), shown, self._name, self._verify_key, seen)

    def _read(self) -> list[LedgerEntry]:
        if not self._tables.exists("ledger"):
            return []
        at = int(self._tables.open("ledger").version())
        if at != self._at:
            self._entries, self._at = read_entries(self._tables), at
        return self._entries


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
    # While the registry does not show the newest entry yet, its alias is about to move.
    settled = shown.mark == f"{entries[-1].number} {entries[-1].hash}"
    trouble = ""
    if settled and alias != served.version:
        went = f"to version {alias}" if alias else "away"
        trouble = (
            f"The alias {CHAMPION!r} was moved {went} by hand, which serves nobody; the ledger "
            f"says version {served.version}."
        )
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
