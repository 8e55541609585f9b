"""Features of whole tables, by contract.use_case.features: columns of Arrow and of pandas.

There is one dtype for each declared type, in training and serving.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import Refused
from contract.store.schema import TYPES
from contract.store.text_columns import KNOWN_CLOCKS, LOCAL
from contract.use_case.features import FeatureDerivation, derivation
from contract.use_case.functions import PARTS
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 50_000  # bounds the memory of plain values, whatever the rows of a table
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def feature_rows(
    rows: pa.Table, use_case: UseCase, wanted: Sequence[str] | None = None
) -> pa.Table:
    """The `wanted` features, all of them if None, of rows that hold what was sent, in their types.

    KeyError where the rows lack a column from which one of them is computed.
    """
    columns = use_case.feature_columns
    names = list(columns) if wanted is None else wanted
    derive = derivation(use_case, names)
    if derive is None:
        return rows.select(names)
    computed = [name for name in names if name not in use_case.columns]
    schema = pa.schema([(name, TYPES[columns[name].type]) for name in computed])
    starts = range(0, max(rows.num_rows, 1), CHUNK_ROWS)
    parts = [_computed(rows.slice(start, CHUNK_ROWS), derive, schema) for start in starts]
    found = pa.concat_tables(parts)
    return pa.table({name: (found if name in computed else rows).column(name) for name in names})


def column_of(rows: pa.Table, use_case: UseCase, name: str) -> pa.ChunkedArray:
    """A column of rows that hold what was sent: one of theirs, or a feature computed from them."""
    if name in rows.column_names:
        return rows.column(name)
    return feature_rows(rows, use_case, [name]).column(name)


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column of a table, or of a batch, in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def plain_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """The values of a column as a caller sends them; times are aware datetimes in UTC."""
    if not pa.types.is_timestamp(column.type):
        values: list[Any] = column.to_pylist()
        return values
    # Twice as fast as pyarrow's own, and of every year.
    moments = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if m is None else EPOCH + timedelta(microseconds=m) for m in moments]


def arrow_values(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Plain values as a column; an exception of arrow, or TypeError, where one does not fit."""
    if not pa.types.is_timestamp(kind):
        return pa.array(values, kind)
    # A sixth of the time that pyarrow's own takes, which asks each time for its zone.
    since = [None if value is None else value - EPOCH for value in values]
    return pa.array(since, pa.duration("us")).cast(pa.int64()).cast(kind)


def _computed(rows: pa.Table, derive: FeatureDerivation, schema: pa.Schema) -> pa.Table:
    found = derive({name: plain_values(rows.column(name)) for name in derive.reads})
    return pa.table([pa.array(found[f.name], f.type) for f in schema], schema=schema)


def derived_columns(
    columns: Mapping[str, pa.Array], derive: FeatureDerivation
) -> dict[str, pa.Array]:
    """The columns, in their declared types, and all that derive from them, (n_rows,) each.

    Parts of times by Arrow where it knows the clock, all else value by value.
    """
    known, left = dict(columns), []
    for source, parts in derive.parts:
        if _clock_is_known(columns[source]):
            local = pc.local_timestamp(columns[source].cast(pa.timestamp("us", derive.zone.key)))
            known |= {name: ARROW_PARTS[part](local) for name, part in parts}
        else:
            left.append((source, parts))
    rest = replace(derive, parts=tuple(left))
    needed = {s for s, _ in left}.union(*(sources for _, sources, _ in derive.derived))
    plain = {name: plain_values(known[name]) for name in needed if name in known}
    found = rest(plain) if plain else {}
    return known | {name: pa.array(values) for name, values in found.items() if name not in known}


def _clock_is_known(moments: pa.Array) -> bool:
    ends = pc.min_max(moments.cast(LOCAL))
    first, last = (pa.scalar(time, LOCAL) for time in KNOWN_CLOCKS)
    inside = pc.and_(pc.greater(ends["min"], first), pc.less(ends["max"], last))
    return inside.as_py() is not False  # null where no time is there


# The parts of `PARTS`, each of a column of local times.
ARROW_PARTS: Mapping[Callable[[datetime], int], Callable[[pa.Array], pa.Array]] = {
    PARTS[name].of: part
    for name, part in {
        "year": pc.year,
        "quarter": pc.quarter,
        "month": pc.month,
        "week": pc.iso_week,
        "day_of_year": pc.day_of_year,
        "day_of_month": pc.day,
        "day_of_week": pc.day_of_week,
        "hour": pc.hour,
        "minute": pc.minute,
        "second": pc.second,
    }.items()
}


def feature_frame(rows: pa.Table, use_case: UseCase) -> "pd.DataFrame":
    """The features of `rows`, which hold what was sent, in declared order, (n_rows, n_features).

    As `framed` gives them.
    """
    return framed(feature_rows(rows, use_case), use_case)


def input_frame(rows: pa.Table, use_case: UseCase) -> "pd.DataFrame":
    """What a caller of the logged model sends, (n_rows, n_inputs), in the same dtypes.

    Times are texts with their offset: MLflow's own type for them holds none.
    """
    import pandas as pd

    declared = {name: use_case.columns[name] for name in use_case.inputs}
    times = {
        name: [None if time is None else time.isoformat() for time in plain_values(values)]
        for name in declared
        if pa.types.is_timestamp((values := rows.column(name)).type)
    }
    return _frame(rows, declared).assign(
        **{name: pd.Series(texts, dtype=object) for name, texts in times.items()}
    )


def framed(features: pa.Table, use_case: UseCase) -> "pd.DataFrame":
    """Features as a frame, (n_rows, n_features).

    Text is object with None for null; a nullable integer or boolean is float64 with NaN, since a
    nullable integer column has no MLflow type that holds a missing value. Refused where one holds
    integers that float64 does not.
    """
    return _frame(features, use_case.feature_columns)


def _frame(rows: pa.Table, declared: Mapping[str, Column]) -> "pd.DataFrame":
    import pandas as pd  # which the shipper, who needs Arrow's columns alone, never loads

    columns = {}
    for name, column in declared.items():
        try:
            columns[name] = _values(rows.column(name), column)
        except pa.ArrowInvalid:
            raise Refused(
                f"Column {name!r} holds integers beyond 2^53, and models compute in float64, which "
                "does not tell them apart; declare it as string, or as a key if it is a name."
            ) from None
    return pd.DataFrame(columns)


def feature_table(columns: dict[str, list[object]], use_case: UseCase) -> pa.Table:
    """Plain values, one list (n_rows,) per feature, as an arrow table of declared types.

    pyarrow's ArrowInvalid or ArrowTypeError where a value is not of its type.
    """
    return pa.table(
        {
            name: pa.array(columns[name], type=TYPES[column.type])
            for name, column in use_case.feature_columns.items()
        }
    )


def _values(values: pa.ChunkedArray, column: Column) -> "pd.Series":
    if column.type == "string":
        series: pd.Series = values.to_pandas().astype(object)
    elif column.type != "timestamp" and (column.nullable or column.type == "number"):
        series = values.cast(pa.float64()).to_pandas()
    else:
        series = values.to_pandas()
    return series
