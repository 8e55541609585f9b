"""What a model sees of a row: columns as they were sent, parts of times, derived columns.

The one definition that training, serving, batches and monitoring share. It takes and gives plain
values, one list (n_rows,) for each column, None is null and a time is an aware datetime.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contract.names import ROW_COLUMNS
from contract.use_case.functions import FUNCTIONS, NUMBERS, PARTS, DerivingFunction, Values
from contract.use_case.model import UseCase
from contract.use_case.sections.derived import Derived

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class FeatureDerivation:
    """Computes parts and derived columns beside the columns `reads`, which callers send."""

    reads: tuple[str, ...]
    zone: ZoneInfo
    parts: tuple[tuple[str, tuple[tuple[str, Callable[[datetime], int]], ...]], ...]
    derived: tuple[tuple[str, tuple[str, ...], Values], ...]

    def __call__(self, columns: Columns) -> dict[str, Sequence[Any]]:
        """All of the columns, and those that derive from them."""
        known = dict(columns)
        for source, parts in self.parts:
            local = _local_times(known[source], self.zone)
            whole = None not in local
            for name, part in parts:
                known[name] = (
                    list(map(part, local))
                    if whole
                    else [None if time is None else part(time) for time in local]
                )
        for name, sources, function in self.derived:
            known[name] = list(map(function, *(known[source] for source in sources)))
        return known


def derivation(use_case: UseCase, wanted: Sequence[str] | None = None) -> FeatureDerivation | None:
    """What computes the `wanted` features, all of them if None; None where nothing is computed."""
    names = use_case.features if wanted is None else wanted
    needed = _with_sources(use_case, names)
    parts = tuple(
        (source, tuple((name, PARTS[part].of) for name, part in found))
        for source, column in use_case.columns.items()
        if (found := [(n, p) for n, p in column.named_parts(source) if n in needed])
    )
    derived = tuple(
        (name, declared.of, FUNCTIONS[declared.function].make(declared))
        for name, declared in use_case.derived.items()
        if name in needed
    )
    if not parts and not derived:
        return None
    named = {source for source, _ in parts}.union(*(sources for _, sources, _ in derived))
    reads = tuple(name for name in use_case.columns if name in named)
    return FeatureDerivation(reads, use_case.zone, parts, derived)


def sources(use_case: UseCase, name: str) -> frozenset[str]:
    """The columns, of those that callers send, from which a feature is computed; itself if sent."""
    if name in use_case.columns:
        return frozenset({name})
    return frozenset(_with_sources(use_case, [name]) & use_case.columns.keys())


def told(use_case: UseCase) -> Iterator[tuple[str, str]]:
    """Each computed feature, and how in words."""
    for source, column in use_case.columns.items():
        for name, part in column.named_parts(source):
            yield name, f"{PARTS[part].says} of {source}, by the clock of {use_case.time_zone}"
    for name, declared in use_case.derived.items():
        if declared.feature:
            said = declared.model_dump(
                mode="json", include=set(declared.arguments), exclude={"encode"}
            )
            how = "".join(f", {key} {value}" for key, value in said.items())
            why = f"; {declared.description}" if declared.description else ""
            yield name, f"{declared.function} of {' and '.join(declared.of)}{how}{why}"


def mistakes(use_case: UseCase, hint: Callable[[str, list[str]], str]) -> Iterator[str]:
    """What is wrong with declared parts and derived columns, by path; `hint` names a near word."""
    seen = {name.lower(): name for name in (*use_case.columns, *ROW_COLUMNS)}
    forbidden = use_case.apart - {use_case.event_time}
    known: dict[str, str] = {name: column.type for name, column in use_case.columns.items()}
    for source, column in use_case.columns.items():
        if column.parts and source in forbidden:
            yield f"columns.{source}.parts: it is {_NO_INPUT}"
        for name, _ in column.named_parts(source):
            if name.lower() in seen:
                yield f"columns.{source}.parts: {name!r} is a column already; give it another name"
            seen[name.lower()] = name
            known[name] = "integer"
    for name, declared in use_case.derived.items():
        path, function = f"derived.{name}", FUNCTIONS[declared.function]
        if not name or name.lower() in seen:
            taken = repr(seen[name.lower()]) if name else "no name"
            yield f"{path}: {taken} is a column already; give it another name"
        seen[name.lower()] = name
        for source in declared.of:
            if source in forbidden:
                yield f"{path}.of: {source!r} is {_NO_INPUT}"
            elif source not in known:
                yield f"{path}.of: no column {source!r} is declared above; {hint(source, [*known])}"
        types = [known.get(source) for source in declared.of]
        yield from (f"{path}.{sentence}" for sentence in _misfits(declared, function, types))
        known[name] = function.gives


_NO_INPUT = "key, target, weight or group, of which the model sees nothing"


def _misfits(
    declared: Derived, function: DerivingFunction, types: Sequence[str | None]
) -> Iterator[str]:
    """What does not fit the function: the number of columns, their types, its arguments."""
    called, wanted = declared.function, function.reads
    if len(types) != len(wanted):
        yield f"of: {called} takes {len(wanted)} columns, found {len(types)}"
        return
    for source, found, able in zip(declared.of, types, wanted, strict=True):
        if found is not None and found not in able:
            yield f"of: {called} takes {' or '.join(sorted(able))}, {source!r} is {found}"
    for name in sorted(declared.arguments - function.takes):
        taken = ", ".join(sorted(function.takes)) or "nothing beside of"
        yield f"{name}: {called} does not take it; it takes {taken}"
    for name in function.needs:
        if name not in declared.arguments:
            yield f"{name}: is missing, e.g. {function.example}"
    if function.one_of_these and not declared.arguments & {*function.one_of_these}:
        needed = ", ".join(function.one_of_these)
        yield f"function: a {called} needs one of {needed}; e.g. {function.example}"
    yield from _misread(declared, types[0])


def _misread(declared: Derived, kind: str | None) -> Iterator[str]:
    """What a condition compares with, where it is of another type than the column."""
    numeric = kind in NUMBERS
    if {"at_least", "below"} & declared.arguments and kind in ("string", "boolean"):
        yield f"of: at_least and below compare numbers, {declared.of[0]!r} is {kind}"
    for value in declared.one_of or ():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        plain = {"string": str, "boolean": bool}.get(kind or "", object)
        if not (number if numeric else isinstance(value, plain)):
            quote = "; quote it where a text is meant" if kind == "string" else ""
            yield f"one_of: {value!r} is no {kind}, which {declared.of[0]!r} is{quote}"


def _with_sources(use_case: UseCase, names: Iterable[str]) -> set[str]:
    """Columns and all that they are computed from."""
    found, waiting = set[str](), list(names)
    origins = {
        part: source
        for source, column in use_case.columns.items()
        for part, _ in column.named_parts(source)
    }
    while waiting:
        at = waiting.pop()
        if at in found:
            continue
        found.add(at)
        if at in use_case.derived:
            waiting += use_case.derived[at].of
        elif at in origins:
            waiting.append(origins[at])
    return found


def _local_times(moments: Sequence[datetime | None], zone: ZoneInfo) -> list[Any]:
    """The local time of each moment, which is always one; None beyond the years 1 and 9999."""
    try:
        return [None if moment is None else moment.astimezone(zone) for moment in moments]
    except OverflowError:
        if len(moments) == 1:
            return [None]
        return [_local_times([moment], zone)[0] for moment in moments]
