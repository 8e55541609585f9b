"""Fitted scikit-learn encoders as columns: each matrix column depends on one feature alone.

A column is either a number as it comes, filled, shifted and scaled, or a table that gives a number
for each known value, for any unseen one and for null.
"""

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from contract.errors import Refused
from contract.use_case.model import UseCase


@dataclass(frozen=True)
class ScalingStage:
    """Fill NaN, subtract, divide, in this order; the defaults change nothing."""

    fill: Any = math.nan
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class RawFeature:
    """A feature as it comes, or whether it is missing, then stages."""

    feature: str
    text: bool
    missing: bool = False
    stages: tuple[ScalingStage, ...] = ()


@dataclass(frozen=True)
class LookupTable:
    """A number for each of `keys`, then one for any unseen value and one for null."""

    feature: str
    keys: tuple[Any, ...]
    values: tuple[float, ...]


Column = RawFeature | LookupTable


def features_of(use_case: UseCase) -> list[Column]:
    """The features before any encoder."""
    return [RawFeature(n, use_case.columns[n].type == "string") for n in use_case.features]


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """The columns that a fitted step makes of `columns`; Refused names one that can't be told."""
    match step:
        case "passthrough" | FunctionTransformer(func=None):
            return list(columns)
        case Pipeline():
            found = list(columns)
            for inner, part in step.steps:
                found = encode(f"{name}/{inner}", part, found)
            return found
        case ColumnTransformer():
            return _side_by_side(name, step, columns)
        case OrdinalEncoder() | OneHotEncoder():
            return _asked(name, step, columns)
        case SimpleImputer():
            return _imputed(name, step, columns)
        case StandardScaler():
            return _scaled(name, step, columns)
    raise refused(name, step, "it is none of the encoders that are known")


def refused(name: str, step: Any, why: str) -> Refused:
    """The error that names a step."""
    return Refused(f"Step {name!r} ({type(step).__name__}) can't be compiled: {why}.")


def _side_by_side(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    names = list(getattr(step, "feature_names_in_", []))
    found: list[Column] = []
    for inner, part, chosen in step.transformers_:
        if part == "drop" or not len(chosen):
            continue
        at = [names.index(c) if isinstance(c, str) else int(c) for c in chosen]
        found += encode(f"{name}/{inner}", part, [columns[i] for i in at])
    return found


def _asked(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """Ask the fitted encoder itself for each category, an unseen value and null."""
    probes = [
        _probe(name, step, c, known) for c, known in zip(columns, step.categories_, strict=True)
    ]
    longest = max(map(len, probes))
    names = list(getattr(step, "feature_names_in_", [f"x{i}" for i in range(len(columns))]))
    frame = pd.DataFrame(
        {
            n: pd.Series(p + p[:1] * (longest - len(p)), dtype=_dtype(c))
            for n, p, c in zip(names, probes, columns, strict=True)
        }
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of what it has not seen
            answer = step.transform(
                frame if hasattr(step, "feature_names_in_") else frame.to_numpy()
            )
    except ValueError as error:
        raise refused(
            name, step, f"it has no answer to an unseen or missing value ({error})"
        ) from error
    table = np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer, dtype=float)
    found: list[Column] = []
    for at, source in enumerate(_sources(step, names)):
        probe = probes[source]
        keys = tuple(probe[:-2])
        found.append(
            LookupTable(columns[source].feature, keys, tuple(table[: len(probe), at].tolist()))
        )
    return found


def _probe(name: str, step: Any, column: Column, known: Any) -> list[Any]:
    """Categories, an unseen value, and what null has become before this encoder."""
    if isinstance(column, LookupTable) or any(s.shift or s.scale != 1 for s in column.stages):
        raise refused(name, step, f"{column.feature!r} is not as it came when it gets here")
    keys = [key for key in known.tolist() if not _is_null(key)]
    unseen: Any = max(keys, default=0.0) + 1.0 if not column.text else "".join(["unseen ", *keys])
    null = None if column.text else math.nan
    fills = [stage.fill for stage in column.stages if not _is_null(stage.fill)]
    return [*keys, unseen, fills[0] if fills else null]


def _dtype(column: Column) -> str:
    return "object" if isinstance(column, RawFeature) and column.text else "float64"


def _sources(step: Any, names: list[str]) -> list[int]:
    """For each output column, which input it comes from."""
    if isinstance(step, OrdinalEncoder):
        return list(range(len(names)))
    named = copy.copy(step)
    named.feature_name_combiner = lambda feature, _: feature
    return [names.index(source) for source in named.get_feature_names_out()]


def _imputed(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    if not _is_null(step.missing_values):
        raise refused(name, step, f"missing_values is {step.missing_values!r}, only null is known")
    found: list[Column] = []
    for column, fill in zip(columns, step.statistics_.tolist(), strict=True):
        if _is_null(fill):
            continue  # nothing was there to learn from: the column is left out
        found.append(_filled(name, step, column, fill))
    if step.indicator_ is not None:
        found += [_is_missing(columns[i]) for i in step.indicator_.features_]
    return found


def _filled(name: str, step: Any, column: Column, fill: Any) -> Column:
    if isinstance(column, LookupTable):
        return replace(column, values=tuple(fill if math.isnan(v) else v for v in column.values))
    if column.text and step.missing_values is not None:
        return column  # null in text is None, which this imputer takes for a value
    return replace(column, stages=(*column.stages, ScalingStage(fill=fill)))


def _is_missing(column: Column) -> Column:
    if isinstance(column, LookupTable):
        return replace(column, values=tuple(float(math.isnan(v)) for v in column.values))
    if column.text:
        return LookupTable(column.feature, (), (0.0, 1.0))
    return RawFeature(column.feature, text=False, missing=True)


def _scaled(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    nothing = np.zeros(len(columns))
    shift = nothing if step.mean_ is None or not step.with_mean else step.mean_
    scale = nothing + 1 if step.scale_ is None else step.scale_
    found: list[Column] = []
    for column, a, b in zip(columns, shift.tolist(), scale.tolist(), strict=True):
        if isinstance(column, LookupTable):
            found.append(replace(column, values=tuple((v - a) / b for v in column.values)))
        elif column.text:
            raise refused(name, step, f"{column.feature!r} is text")
        else:
            found.append(replace(column, stages=(*column.stages, ScalingStage(shift=a, scale=b))))
    return found


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
