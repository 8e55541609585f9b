"""A Delta table copied at one version with all older ones that are whole, beside its writers.

What belongs to a version stands in the log up to it; files of later commits are left behind. Where
the log was cut, versions before its check point are gone in the copy as they are in the table.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import get_args
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from contract.names import TableName
from contract.store.tables import Tables
from pipelines.runtime.keeping.places import Place

LOG = "_delta_log/"
LAST_CHECKPOINT = f"{LOG}_last_checkpoint"
NUMBERED = re.compile(rf"{LOG}(\d{{20}})\.(json|checkpoint\b.*)")


def use_cases(root: str) -> list[str]:
    """Use cases that have a table under a root."""
    return [name for name in Place.of(root).names(recursive=False) if saved(Tables(root, name))]


def saved(tables: Tables) -> list[TableName]:
    """The tables of a use case that there are."""
    known: tuple[TableName, ...] = get_args(TableName)
    return [name for name in known if tables.exists(name)]


def pinned(tables: Tables, name: TableName, mark: int = 0, versions: Collection[str] = ()) -> int:
    """The version to copy: the newest, of the ledger the one that fits a copy of the registry.

    `mark` is the entry that the registry shows there, `versions` are those that it holds. The entry
    after it, where its version is known, is a move that was under way: it is finished as after any
    crash. What came later was about a registry that was not copied.
    """
    table = tables.open(name)
    if name != "ledger":
        return int(table.version())
    following = tables.read(name, columns=["version"], where=f"number = {mark + 1}")
    last = mark + all(v in versions for v in following.column("version").to_pylist())
    while (table.transaction_version(name) or 0) > last:
        table.load_as_version(table.version() - 1)
    return int(table.version())


def files_of(place: Place, table: DeltaTable) -> Iterator[tuple[str, bool]]:
    """Names of what belongs to a table opened at its version, each with whether it must be there.

    A file of older versions only may have been vacuumed. The log comes last, as its writers do it.
    """
    newest = int(table.version())
    there = place.names()
    log = [name for name in there if _belongs(name, newest)]
    needed = {
        unquote(path) for path in pa.table(table.get_add_actions()).column("path").to_pylist()
    }
    older = {path for name in log if name.endswith(".json") for path in _added(place.read(name))}
    yield from ((name, True) for name in sorted(needed))
    yield from ((name, False) for name in sorted(older - needed))
    yield from ((name, True) for name in log)
    if LAST_CHECKPOINT in there and _last(place) <= newest:
        yield LAST_CHECKPOINT, False


def _belongs(name: str, newest: int) -> bool:
    number = NUMBERED.match(name)
    return number is not None and int(number[1]) <= newest


def _added(commit: bytes) -> Iterator[str]:
    for line in commit.split(b"\n"):  # values may hold what ends a line of text
        if line and (added := json.loads(line).get("add")):
            yield unquote(added["path"])


def _last(place: Place) -> int:
    """The version of the newest check point, which a reader begins with."""
    return int(json.loads(place.read(LAST_CHECKPOINT))["version"])
