"""The ledger: every move of every version of a use case, append-only and chained by hashes.

An entry says what was done and the state since, so the newest entry alone tells what the
registry must show. It is appended by compare-and-set: of several writers of entry n one succeeds.
Jobs write it; services read in it what they may serve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa

from contract.errors import Refused
from contract.names import CHALLENGER, CHAMPION, PREVIOUS
from contract.store.rows.fingerprint import value_hash
from contract.store.tables import Tables

Asked = Literal["register", "promote", "reject", "rollback", "sign"]
ASKED: tuple[Asked, ...] = ("register", "promote", "reject", "rollback", "sign")
Move = Asked | Literal["external", "reset"]
FORMAT = 2
# What an entry of format 1 did not say. Its hash does not cover these columns.
SINCE_FORMAT_2 = ("proven", "note", "package", "signature")
EPOCH = datetime.fromtimestamp(0, UTC)
NONE = ""  # no version

SCHEMA = pa.schema(
    [
        ("format", pa.int64()),
        ("number", pa.int64()),  # 1, 2, ...
        ("time", pa.timestamp("us", tz="UTC")),
        ("move", pa.string()),
        ("version", pa.string()),
        ("from_stage", pa.string()),
        ("to_stage", pa.string()),
        ("who", pa.string()),
        ("why", pa.string()),
        ("expected", pa.string()),
        ("gate_run", pa.string()),
        ("data_version", pa.string()),
        ("release_check", pa.string()),
        ("effects", pa.list_(pa.string())),
        ("champion", pa.string()),
        ("challenger", pa.string()),
        ("former", pa.list_(pa.string())),
        ("barred", pa.list_(pa.string())),
        ("host", pa.string()),
        ("previous_hash", pa.string()),
        ("hash", pa.string()),
        ("proven", pa.bool_()),
        ("note", pa.string()),
        ("package", pa.string()),
        ("signature", pa.string()),
    ]
)


@dataclass(frozen=True)
class RegistryState:
    """Which version is what since an entry; "" is no version."""

    champion: str = NONE
    challenger: str = NONE
    former: tuple[str, ...] = ()  # champions before, oldest first, that a rollback may go back to
    barred: tuple[str, ...] = ()  # rejected or rolled back: not promoted again by itself

    @property
    def previous(self) -> str:
        """The version that a rollback goes back to."""
        return self.former[-1] if self.former else NONE

    @property
    def aliases(self) -> dict[str, str]:
        """The version of each alias in MLflow."""
        return {CHAMPION: self.champion, CHALLENGER: self.challenger, PREVIOUS: self.previous}


@dataclass(frozen=True, slots=True)
class ShownRegistry:
    """What the registered model shows: versions by alias, and the mark of the newest entry."""

    aliases: dict[str, str] = field(default_factory=dict)
    mark: str = ""


STATE = frozenset(field.name for field in fields(RegistryState))


@dataclass(frozen=True)
class LedgerEntry:
    """One move, as it stands in the table; `effects` names each version whose stage it changed."""

    move: Move
    version: str
    who: str
    why: str
    state: RegistryState
    from_stage: str = ""
    to_stage: str = ""
    expected: str = NONE  # the champion that the mover saw
    gate_run: str = ""
    data_version: str = ""
    release_check: str = ""
    effects: tuple[str, ...] = ()
    host: str = ""
    proven: bool = False  # whether MLflow's server said who
    note: str = ""  # what whoever acted says of himself beside that
    package: str = ""  # SHA-256 of the version's manifest
    format: int = FORMAT
    number: int = 0
    time: datetime = EPOCH
    previous_hash: str = ""
    hash: str = ""
    signature: str = ""  # of the hash, by who held the key; "" without one

    @property
    def by(self) -> str:
        """Who, as people read it."""
        if self.format == 1 or self.move not in ASKED:
            return self.who
        if not self.proven:
            return f"{self.who} (unproven)"
        return f"{self.who} (who says: {self.note})" if self.note else self.who

    @property
    def mark(self) -> str:
        """How the registry shows that it has followed this entry."""
        return f"{self.number} {self.hash}"

    def after(self, head: "LedgerEntry | None", time: datetime) -> "LedgerEntry":
        """This entry as the one that follows `head`, sealed by its hash."""
        number, previous = (head.number + 1, head.hash) if head else (1, "")
        placed = replace(self, number=number, time=time, previous_hash=previous)
        return replace(placed, hash=entry_hash(placed))

    def row(self) -> dict[str, object]:
        """The entry as plain values, in the order of the table."""
        # `asdict` copies each of hundreds of versions, and took seconds for thousands of entries.
        return {n: getattr(self.state if n in STATE else self, n) for n in SCHEMA.names}

    @classmethod
    def of(cls, row: dict[str, object]) -> "LedgerEntry":
        """From a row of the table."""
        if row["format"] not in range(1, FORMAT + 1):
            raise Refused(
                f"Ledger entry {row['number']} has format {row['format']} of a newer Fourcycle; "
                f"this one reads up to {FORMAT}."
            )
        said = {k: v for k, v in row.items() if v is not None}
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
        state = RegistryState(**{f.name: plain[f.name] for f in fields(RegistryState)})  # type: ignore[arg-type]
        own = {f.name: plain[f.name] for f in fields(cls) if f.name in plain}
        return cls(state=state, **own)  # type: ignore[arg-type]


def entry_hash(entry: LedgerEntry) -> str:
    """SHA-256 over everything an entry says, the hash of the entry before it included."""
    row = entry.row()
    unsealed = {"hash", "signature", *(SINCE_FORMAT_2 if entry.format == 1 else ())}
    sealed = {name: value for name, value in row.items() if name not in unsealed}
    return value_hash(sealed | {"time": entry.time.isoformat()})


def entry_said(model: str, entry: LedgerEntry) -> tuple[str, ...]:
    """What the signature of an entry is over: another model's entry is another one."""
    return "ledger entry", model, entry.hash


def read_entries(tables: Tables) -> list[LedgerEntry]:
    """All entries, oldest first."""
    if not tables.exists("ledger"):
        return []
    return [LedgerEntry.of(row) for row in tables.read("ledger", order_by=["number"]).to_pylist()]


def read_entries_after(tables: Tables, held: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """All entries, of which some were read before: only files with the newest are opened.

    Where what stands there does not go on from those that are held, all are read anew.
    """
    if not held or not tables.exists("ledger"):
        return read_entries(tables)
    rows = tables.read("ledger", where=f"number >= {held[-1].number}", order_by=["number"])
    found = [LedgerEntry.of(row) for row in rows.to_pylist()]
    if not found or found[0].hash != held[-1].hash:
        return read_entries(tables)
    return [*held, *found[1:]]


def append_entry(tables: Tables, entry: LedgerEntry) -> bool:
    """Add a sealed entry; False when another entry took its number."""
    rows = pa.Table.from_pylist([entry.row()], schema=SCHEMA)
    return tables.append_next("ledger", rows, entry.number)


def broken_link(entries: Sequence[LedgerEntry], held: Sequence[LedgerEntry] = ()) -> str:
    """The first entry that is not what was written, as a sentence; "" while the chain holds.

    Entries that are `held` since this process verified them are not hashed again.
    """
    sure = len(held) if list(entries[: len(held)]) == list(held) else 0
    before = entries[sure - 1].hash if sure else ""
    for number, entry in enumerate(entries[sure:], start=sure + 1):
        if entry.number != number:
            return f"entry {number} is missing; entry {entry.number} stands in its place"
        if entry.hash != entry_hash(entry):
            return f"entry {number} was changed after it was written"
        if entry.previous_hash != before:
            return f"entry {number} does not follow the entry before it"
        before = entry.hash
    return ""


def state_after(entries: Sequence[LedgerEntry]) -> RegistryState:
    """The state since the newest entry."""
    return entries[-1].state if entries else RegistryState()


def since_reset(entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Entries about the registered model that is there: a new one counts its versions anew."""
    resets = [i for i, entry in enumerate(entries) if entry.move == "reset"]
    return entries[resets[-1] :] if resets else entries


def to_serve(entries: list[LedgerEntry]) -> LedgerEntry | None:
    """The entry that says what users get: the newest that promoted a version or went back to one.

    None before the first. An alias that was set by hand is recorded and serves nobody.
    """
    served = (e for e in reversed(since_reset(entries)) if e.move in ("promote", "rollback"))
    return next(served, None)


def vouched_by(entries: list[LedgerEntry], served: LedgerEntry) -> tuple[LedgerEntry, ...]:
    """The entries by which somebody vouches for what `served` made live: itself, or a later `sign`.

    The hash of each covers all entries before it.
    """
    later = entries[served.number :]  # numbers begin with 1
    signs = (e for e in later if e.move == "sign" and e.version == served.version)
    return (served, *signs)


def moved_by_hand(
    entries: list[LedgerEntry], shown: ShownRegistry, right: Mapping[str, str]
) -> str:
    """The first of the aliases that somebody set or took away past our commands, as a sentence.

    `right` is the version of each, "" for none. While the registry does not show the newest entry
    yet, its aliases are about to move.
    """
    if not entries or shown.mark != entries[-1].mark:
        return ""
    for alias, version in right.items():
        found = shown.aliases.get(alias, NONE)
        if found != version:
            went = f"to version {found}" if found else "away"
            return (
                f"The alias {alias!r} was moved {went} by hand, which serves nobody; the ledger "
                f"says {f'version {version}' if version else 'none'}."
            )
    return ""


def registered_by(entries: list[LedgerEntry], version: str) -> LedgerEntry | None:
    """The entry by which a version became the challenger; None where none tells of it."""
    made = (e for e in since_reset(entries) if e.move == "register" and e.version == version)
    return next(made, None)


def champion_at(entries: Sequence[LedgerEntry], moment: datetime) -> str:
    """The champion at a time (with its zone); "" when there was none."""
    return state_after([entry for entry in entries if entry.time <= moment]).champion


def ever_champion(entries: list[LedgerEntry]) -> frozenset[str]:
    """Versions that were champion since the registered model was made."""
    return frozenset(e.state.champion for e in since_reset(entries)) - {NONE}


def taken_out(entries: Sequence[LedgerEntry]) -> dict[str, LedgerEntry]:
    """By version, the newest entry that rejected it, or after which it was no longer what it was:
    champion or challenger."""
    out, were_there = dict[str, LedgerEntry](), set[str]()
    for entry in entries:
        are_there = {entry.state.champion, entry.state.challenger} - {NONE}
        out |= dict.fromkeys(were_there - are_there, entry)
        if entry.move == "reject":
            out[entry.version] = entry
        were_there = are_there
    return out
