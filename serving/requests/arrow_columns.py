"""Columns of Arrow become checked columns, whole columns at a time, as `check` reads cell by cell.

What does not fit, or what only cells can tell, is left to `check`, which names the row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contract.store.cells import INT64
from contract.store.frames import plain_values, whole
from contract.store.schema import TYPES
from contract.store.text_columns import MOMENT, ReadColumn, bounded, localise, read_numbers
from contract.use_case.event_time import AHEAD, EARLIEST, FLAG
from contract.use_case.local_time import PER_SECOND
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.columns import CheckedColumns, SentColumns, check, optional

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CheckedBatch:
    """Inputs, keys and event time in their declared types, (n_rows,) each, and what is unusual."""

    rows: pa.RecordBatch
    flags: Mapping[str, Mask]  # those that some row has, in the order in which a row names them

    def flag_lists(self) -> list[list[str]]:
        """The flags of each row."""
        found: list[list[str]] = [[] for _ in range(self.rows.num_rows)]
        for flag, mask in self.flags.items():
            for row in np.flatnonzero(mask).tolist():
                found[row].append(flag)
        return found

    def plain(self, use_case: UseCase) -> CheckedColumns:
        """The same in lists, as a request is answered and logged."""
        wanted = (use_case.inputs, use_case.keys, filter(None, (use_case.event_time,)))
        inputs, keys, times = (
            {name: plain_values(self.rows.column(name)) for name in names} for names in wanted
        )
        none: list[datetime | None] = [None] * self.rows.num_rows
        return CheckedColumns(
            inputs, keys, times.get(use_case.event_time or "", none), self.flag_lists()
        )


class _Unread(Exception):
    """Something does not fit, or only its cells can tell whether it does."""


def check_batch(rows: pa.RecordBatch, use_case: UseCase) -> CheckedBatch:
    """Check every cell against the use case; a Problem at the first that does not fit."""
    if (read := read_batch(rows, use_case)) is not None:
        return read
    columns = {name: rows.column(name).to_pylist() for name in rows.schema.names}
    return _of_columns(check(SentColumns(columns, rows.num_rows), use_case), use_case)


def read_batch(rows: pa.RecordBatch | pa.Table, use_case: UseCase) -> CheckedBatch | None:
    """The rows where every column fits as a whole; None where only its cells tell whether."""
    try:
        return _read(rows, use_case)
    except (_Unread, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def with_time_flags(checked: CheckedBatch, use_case: UseCase, now: datetime) -> CheckedBatch:
    """With a note at rows whose event time can't be judged now (contract.use_case.event_time)."""
    if not use_case.event_time:
        return checked
    times = checked.rows.column(use_case.event_time)
    first, last = pa.scalar(EARLIEST, MOMENT), pa.scalar(now + AHEAD, MOMENT)
    outside = pc.or_(pc.less(times, first), pc.greater(times, last))
    mask = _mask(outside.fill_null(False))
    if not mask.any():
        return checked
    return replace(checked, flags={**checked.flags, f"{FLAG}:{use_case.event_time}": mask})


def _read(rows: pa.RecordBatch | pa.Table, use_case: UseCase) -> CheckedBatch:
    declared = _declared(use_case)
    if not declared.keys() >= {*rows.schema.names}:
        raise _Unread
    columns: dict[str, pa.Array] = {}
    flags: dict[str, Mask] = {}
    for name, column in declared.items():
        if name in rows.schema.names:
            columns[name] = _values(whole(rows.column(name)), column, use_case.zone)
        elif name in use_case.inputs:
            raise _Unread
        else:
            columns[name] = pa.nulls(rows.num_rows, TYPES[column.type])
        flags |= {f: mask for f, mask in _flags(columns[name], name, column) if mask.any()}
    return CheckedBatch(_batch(columns, use_case), flags)


def _of_columns(checked: CheckedColumns, use_case: UseCase) -> CheckedBatch:
    found = {**checked.features, **checked.keys}
    if use_case.event_time:
        found[use_case.event_time] = checked.event_time
    columns = {n: pa.array(found[n], TYPES[use_case.columns[n].type]) for n in found}
    masks: dict[str, Mask] = {}
    for row, flags in enumerate(checked.flags):
        for flag in flags:
            masks.setdefault(flag, np.zeros(checked.n_rows, dtype=bool))[row] = True
    order = [f for name in _declared(use_case) for f in (f"unseen:{name}", f"{FLAG}:{name}")]
    return CheckedBatch(_batch(columns, use_case), {f: masks[f] for f in order if f in masks})


def _declared(use_case: UseCase) -> dict[str, Column]:
    return {n: use_case.columns[n] for n in use_case.inputs} | optional(use_case)


def _batch(columns: Mapping[str, pa.Array], use_case: UseCase) -> pa.RecordBatch:
    times = filter(None, (use_case.event_time,))
    names = dict.fromkeys((*use_case.inputs, *use_case.keys, *times))
    return pa.record_batch({name: columns[name] for name in names})


def _values(values: pa.Array, column: Column, zone: ZoneInfo) -> pa.Array:
    """The values in the column's type."""
    if values.null_count and not column.nullable:
        raise _Unread
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return values.cast(TYPES[column.type])
    if column.type == "timestamp":
        return _moments(values, column.unit, zone)
    return _READ[column.type](values)


def _texts(values: pa.Array) -> pa.Array:
    kind = values.type
    _only(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    values.validate(full=True)  # UTF-8
    return values.cast(pa.string())


def _booleans(values: pa.Array) -> pa.Array:
    _only(pa.types.is_boolean(values.type))
    return values


def _numbers(values: pa.Array) -> pa.Array:
    if not pa.types.is_integer(values.type):
        _only(pa.types.is_floating(values.type) and _all(pc.is_finite(values)))
    return values.cast(pa.float64())  # Arrow refuses integers that float64 does not hold


def _integers(values: pa.Array) -> pa.Array:
    if pa.types.is_integer(values.type):
        return values.cast(pa.int64())
    _only(pa.types.is_floating(values.type) and _all(pc.is_finite(values)))
    low, high = _ends(values)
    _only(low >= -INT64 and high < INT64 and _all(pc.equal(pc.trunc(values), values)))
    return values.cast(pa.float64()).cast(pa.int64(), safe=False)  # safe up to 2^53 only


def _moments(values: pa.Array, unit: str, zone: ZoneInfo) -> pa.Array:
    kind = values.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        read = bounded(values.cast(MOMENT))
    elif pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        read = localise(values, zone)
    else:
        _only(unit in PER_SECOND and (pa.types.is_integer(kind) or pa.types.is_floating(kind)))
        read = read_numbers(values, unit)
    _only(_whole(read))
    return read.values


def _whole(read: ReadColumn) -> bool:
    return not read.unreadable and not read.unplaced


_READ: Mapping[str, Callable[[pa.Array], pa.Array]] = {
    "string": _texts,
    "integer": _integers,
    "number": _numbers,
    "boolean": _booleans,
}


def _flags(values: pa.Array, name: str, column: Column) -> Iterator[tuple[str, Mask]]:
    """What is declared to be unusual, and where it is."""
    if column.categories:
        known = pc.is_in(values, pa.array(column.categories, pa.string()))
        unseen = _mask(pc.and_(values.is_valid(), pc.invert(known)))
        _only(column.unseen == "allow" or not unseen.any())
        yield f"unseen:{name}", unseen
    if (column.min, column.max) != (None, None):
        low = -np.inf if column.min is None else column.min
        high = np.inf if column.max is None else column.max
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        outside = ~((low <= numbers) & (numbers <= high)) & _mask(values.is_valid())
        _only(column.out_of_range == "allow" or not outside.any())
        yield f"{FLAG}:{name}", outside


def _only(fits: bool) -> None:
    if not fits:
        raise _Unread


def _ends(values: pa.Array) -> tuple[float, float]:
    """The smallest and the largest value; 0 and 0 where there is none."""
    ends = pc.min_max(values).as_py()
    return (0, 0) if ends["min"] is None else (ends["min"], ends["max"])


def _all(fits: pa.Array) -> bool:
    """Whether all that is not null fits."""
    return pc.all(fits).as_py() is not False


def _mask(values: pa.Array) -> Mask:
    found: Mask = values.to_numpy(zero_copy_only=False)
    return found
