"""What a change changes: in the declaration, in the locked packages, in the code."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)
ABSENT = "not there"
LINEAGE = "## Lineage"  # the last section of a card


@dataclass(frozen=True)
class FileChange:
    """Lines that a commit adds to a file and takes away; None of a binary one."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True)
class ValueChange:
    """One fact, before and now."""

    name: str
    before: str
    now: str


def declared(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[ValueChange]:
    """Facts of two declarations that differ, by dotted path, in the order of the newer one."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        ValueChange(name, old.get(name, ABSENT), new.get(name, ABSENT))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, here)
        else:
            yield here, str(value)


def locked(before: str, now: str) -> list[ValueChange]:
    """Packages whose version differs between two lock files."""
    return declared(dict(LOCKED.findall(before)), dict(LOCKED.findall(now)))


def files(numstat: str) -> list[FileChange]:
    """Changed files, from `git diff --numstat -z --no-renames`."""
    rows = (record.split("\t", 2) for record in numstat.split("\0") if record)
    return [FileChange(path, _lines(added), _lines(removed)) for added, removed, path in rows]


def _lines(number: str) -> int | None:
    return int(number) if number.isdigit() else None


def card_difference(before: str, now: str) -> str:
    """Lines of two model cards that differ; numbers of runs and tables always do and are left out.

    Written without the head that names files.
    """
    old, new = (card.partition(f"\n{LINEAGE}")[0].split("\n") for card in (before, now))
    return "\n".join(list(unified_diff(old, new, lineterm="", n=1))[2:])
