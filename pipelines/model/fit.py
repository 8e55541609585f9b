"""Fit the declared pipeline: encode, tell the estimator what its columns are, fit with weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from contract.errors import BadInput, Refused
from contract.statistics.metrics import Floats
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from pipelines.model.estimator import build_estimator, constrains
from pipelines.model.preprocess import (
    NATIVE,
    build_encoder,
    is_sparse,
    knows_categories,
    one_number,
)
from pipelines.model.refusal import check_rows


def fit_pipeline(
    use_case: UseCase,
    parameters: Mapping[str, Any],
    features: pd.DataFrame,
    target: npt.NDArray[np.generic],
    weight: Floats | None = None,
) -> Pipeline:
    """The declared pipeline with these parameters, fitted to features (n_rows, n_features).

    `target` and `weight` are (n_rows,). Refused where the encoded matrix would be too large, or
    the weights weigh nothing; BadInput where parameters name columns that the matrix has not.
    """
    if weight is not None and not weight.sum() > 0:
        raise Refused(f"weight: {use_case.weight} is zero in all of {len(weight):,} rows.")
    check_rows(use_case, len(features))
    estimator = build_estimator(use_case, parameters)
    n_values = {
        name: features[name].nunique(dropna=False)
        for name, column in use_case.feature_columns.items()
        if column.type == "string"
    }
    n_classes = len(np.unique(target)) if use_case.task == "multiclass" else 1
    sparse = is_sparse(use_case, estimator, len(features), n_values, n_classes)
    encode = build_encoder(use_case, estimator, sparse)
    try:
        matrix = encode.fit_transform(features, target)
        extra = _settle(use_case, estimator, encode, matrix.shape[1])
        if weight is not None:
            extra["sample_weight"] = weight
        estimator.fit(matrix, target, **extra)
    except ValueError as error:  # of numpy and scikit-learn, about the data or the parameters
        if use_case.estimator.own:  # its message may hold what stood in a row
            raise
        raise Refused(
            f"{use_case.estimator.path} can't be fitted to {len(features):,} rows: {error}"
        ) from error
    return Pipeline([("encode", encode), ("estimator", estimator)])


def _settle(
    use_case: UseCase, estimator: BaseEstimator, encode: ColumnTransformer, width: int
) -> dict[str, Any]:
    """Tell the estimator which of its columns are categories, and which are constrained.

    What it wants to hear of that in `fit`; the rest is set.
    """
    given = estimator.get_params(deep=False)
    for name, value in given.items():
        if constrains(name, value):
            estimator.set_params(**{name: _constraints(use_case, encode, value, width)})
    chosen = encode.output_indices_
    native = [i for name in chosen if name.startswith(NATIVE) for i in range(width)[chosen[name]]]
    if not (native and knows_categories(estimator)):
        return {}
    match type(estimator).__module__.partition(".")[0]:
        case "lightgbm":
            return {"categorical_feature": native}
        case "xgboost":
            kinds = ["c" if i in native else "q" for i in range(width)]
            estimator.set_params(enable_categorical=True, feature_types=kinds)
        case _ if given["categorical_features"] in (None, "from_dtype"):
            estimator.set_params(categorical_features=native)
    return {}


def _constraints(
    use_case: UseCase, encode: ColumnTransformer, value: Mapping[str, Any], width: int
) -> tuple[int, ...]:
    """Monotonic constraints by names of columns, as one for each column of the matrix."""
    places = {n: at for n, at in _places(encode, width).items() if n in one_number(use_case)}
    found: npt.NDArray[np.int64] = np.zeros(width, dtype=np.int64)
    for name, sign in value.items():
        if name not in places:
            able = nearest(name, list(places))
            raise BadInput(
                f"estimator.parameters: {name!r} is constrained and is no column that stays one "
                f"number; {able}"
            )
        found[places[name]] = sign
    return tuple(int(sign) for sign in found)


def _places(encode: ColumnTransformer, width: int) -> dict[str, int]:
    """Where in the matrix each feature stands that has one column there."""
    places: dict[str, int] = {}
    for name, _, columns in encode.transformers_:
        chosen = range(width)[encode.output_indices_[name]]
        if not name.startswith(NATIVE) and len(chosen) == len(columns):
            places |= dict(zip(columns, chosen, strict=True))
    return places
