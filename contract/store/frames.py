"""Model inputs as pandas frames, with one dtype for each declared type, in training and serving."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from contract.errors import Refused
from contract.store.features import feature_rows, plain_values
from contract.store.schema import TYPES
from contract.use_case.model import Column, UseCase


def feature_frame(rows: pa.Table, use_case: UseCase) -> pd.DataFrame:
    """The features of `rows`, which hold what was sent, in declared order, (n_rows, n_features).

    As `framed` gives them.
    """
    return framed(feature_rows(rows, use_case), use_case)


def input_frame(rows: pa.Table, use_case: UseCase) -> pd.DataFrame:
    """What a caller of the logged model sends, (n_rows, n_inputs), in the same dtypes.

    Times are texts with their offset: MLflow's own type for them holds none.
    """
    declared = {name: use_case.columns[name] for name in use_case.inputs}
    times = {
        name: [None if time is None else time.isoformat() for time in plain_values(values)]
        for name in declared
        if pa.types.is_timestamp((values := rows.column(name)).type)
    }
    return _frame(rows, declared).assign(
        **{name: pd.Series(texts, dtype=object) for name, texts in times.items()}
    )


def framed(features: pa.Table, use_case: UseCase) -> pd.DataFrame:
    """Features as a frame, (n_rows, n_features).

    Text is object with None for null; a nullable integer or boolean is float64 with NaN, since a
    nullable integer column has no MLflow type that holds a missing value. Refused where one holds
    integers that float64 does not.
    """
    return _frame(features, use_case.feature_columns)


def _frame(rows: pa.Table, declared: Mapping[str, Column]) -> pd.DataFrame:
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


def _values(values: pa.ChunkedArray, column: Column) -> pd.Series:
    if column.type == "string":
        series: pd.Series = values.to_pandas().astype(object)
    elif column.type != "timestamp" and (column.nullable or column.type == "number"):
        series = values.cast(pa.float64()).to_pandas()
    else:
        series = values.to_pandas()
    return series
