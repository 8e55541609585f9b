"""What the values of a column look like: counts, range, quartiles, the commonest, a histogram.

Computed over one Arrow column at a time by Arrow's own kernels, so a table is never held whole.
Quantiles interpolate linearly and the deviation is of a sample (n - 1), as in pandas and numpy.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.names import ROW_HASH, TableName
from contract.store.tables import Tables
from pipelines.data.catalogue.meaning import ColumnMeaning

MASK = "•••"
BARS = 12
COMMON = 5  # values that are listed
LONGEST = 60  # characters of a value that is shown


@dataclass(frozen=True)
class ColumnProfile:
    """The values of one column at one version. Of a personal column only the counts are told."""

    name: str
    rows: int
    nulls: int
    distinct: int | None  # None: of lists and structures nobody counts
    masked: bool
    odd: int = 0  # numbers that are infinite or not a number; left out of what follows
    low: Any = None
    high: Any = None
    mean: float | None = None
    deviation: float | None = None
    quartiles: tuple[float, float, float] | None = None
    common: tuple[tuple[str, int], ...] = ()  # the commonest values, with their rows
    bars: tuple[int, ...] = ()  # rows in equal steps from low to high

    @property
    def null_share(self) -> float:
        """Share of the rows without a value."""
        return self.nulls / self.rows if self.rows else 0.0

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "null_share": self.null_share}


def profile(
    tables: Tables, table: TableName, columns: list[ColumnMeaning], version: int | None = None
) -> list[ColumnProfile]:
    """The profile of each of these columns of a table at a version (newest: None)."""
    at = tables.version(table) if version is None else version  # of all columns the same
    found = []
    for column in columns:
        values = tables.read(table, at, columns=[column.name]).column(0)
        found.append(profile_of(column.name, values, column.personal))
    return found


def profile_of(name: str, values: pa.ChunkedArray, personal: bool) -> ColumnProfile:
    """The profile of a column's values."""
    nested = pa.types.is_nested(values.type)
    distinct = None if nested else int(pc.count_distinct(values).as_py())
    facts: dict[str, Any] = {}
    if not (nested or personal or name == ROW_HASH):
        kind, there = values.type, values.drop_null()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            facts = _numbers(there)
        elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            facts = _moments(there)
        if not pa.types.is_timestamp(kind) and (distinct or 0) < max(len(there), 2):
            facts["common"] = _common(there)
    return ColumnProfile(name, len(values), values.null_count, distinct, personal, **facts)


def _numbers(values: pa.ChunkedArray) -> dict[str, Any]:
    numbers = values.cast(pa.float64(), safe=False)  # a figure about them may round
    finite = numbers.filter(pc.is_finite(numbers))
    odd = len(numbers) - len(finite)
    if not len(finite):
        return {"odd": odd}
    ends = pc.min_max(finite)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    quartiles = pc.quantile(finite, q=[0.25, 0.5, 0.75]).to_pylist()
    several = len(finite) > 1
    return {
        "odd": odd,
        "low": low,
        "high": high,
        "mean": pc.mean(finite).as_py(),
        "deviation": pc.stddev(finite, ddof=1).as_py() if several else None,
        "quartiles": tuple(quartiles),
        "bars": _steps(finite.to_numpy()),
    }


def _moments(values: pa.ChunkedArray) -> dict[str, Any]:
    if not len(values):
        return {}
    ends = pc.min_max(values)
    low, high = (ends[end].as_py() for end in ("min", "max"))
    numbers = values.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    return {"low": low.isoformat(), "high": high.isoformat(), "bars": _steps(numbers)}


def _steps(numbers: "np.ndarray[Any, Any]") -> tuple[int, ...]:
    """Rows in equal steps from the lowest to the highest; none where these are as good as equal."""
    low, high = float(numbers.min()), float(numbers.max())
    if not (high - low) / BARS > np.spacing(max(abs(low), abs(high))) or np.isinf(high - low):
        return ()
    return tuple(np.histogram(numbers, bins=BARS)[0].tolist())


def _common(values: pa.ChunkedArray) -> tuple[tuple[str, int], ...]:
    """Of those with equal rows the one that comes first as text, so that the answer is one."""
    counted = [(str(v["values"].as_py()), v["counts"].as_py()) for v in pc.value_counts(values)]
    ordered = sorted(counted, key=lambda pair: (-pair[1], pair[0]))[:COMMON]
    return tuple((shortened(text), rows) for text, rows in ordered)


def shortened(text: str) -> str:
    """A value that fits into a cell."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def masked(rows: pa.Table, columns: list[ColumnMeaning]) -> pa.Table:
    """The rows with a mask in place of every value of a personal column; nulls stay."""
    hidden = {column.name for column in columns if column.personal}
    for at, name in enumerate(rows.column_names):
        if name in hidden:
            values = rows.column(name)
            shown = pc.if_else(pc.is_null(values), pa.scalar(None, pa.string()), pa.scalar(MASK))
            rows = rows.set_column(at, name, shown)
    return rows
