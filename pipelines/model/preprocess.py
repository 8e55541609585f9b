"""The scikit-learn pipeline that derives from a use case: standard parts only, in one order."""

import importlib
import inspect
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from contract.errors import BadInput
from contract.use_case.model import UseCase

# HistGradientBoosting bins into 255 at most; rarer categories share the last code.
MAX_CATEGORIES = 254


def build_pipeline(use_case: UseCase, parameters: dict[str, Any]) -> Pipeline:
    """An unfitted pipeline: encode, then the declared estimator with these parameters.

    An estimator that knows categories (`categorical_features`) gets them as ordinal codes with
    missing and unseen values as NaN; any other gets one-hot columns and, unless it takes NaN
    itself, imputed and scaled numbers.
    """
    text = [n for n in use_case.features if use_case.columns[n].type == "string"]
    numbers = [n for n in use_case.features if n not in text]
    estimator = build_estimator(use_case, parameters, n_categorical=len(text))
    native = "categorical_features" in estimator.get_params()
    encode = ColumnTransformer(
        [("categories", _ordinal() if native else _one_hot(), text)] * bool(text)
        + [("numbers", "passthrough" if _takes_nan(estimator) else _scaled(), numbers)]
        * bool(numbers),
        sparse_threshold=0,
    )
    return Pipeline([("encode", encode), ("estimator", estimator)])


def build_estimator(
    use_case: UseCase, parameters: dict[str, Any], n_categorical: int = 0
) -> BaseEstimator:
    """The declared estimator, seeded, with its categorical columns first."""
    path = use_case.estimator.path
    module, _, name = path.rpartition(".")
    try:
        build = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"estimator.path: {path} can't be loaded: {error}") from error
    if not (inspect.isclass(build) and issubclass(build, BaseEstimator)):
        raise BadInput(f"estimator.path: {path} is no scikit-learn estimator.")
    accepted = inspect.signature(build).parameters
    given = dict(parameters)
    if "random_state" in accepted:
        given.setdefault("random_state", use_case.estimator.seed)
    if "categorical_features" in accepted and n_categorical:
        given.setdefault("categorical_features", list(range(n_categorical)))
    try:
        estimator: BaseEstimator = build(**given)
    except TypeError as error:
        raise BadInput(f"estimator.parameters: {path} does not take them: {error}") from error
    return estimator


def _takes_nan(estimator: BaseEstimator) -> bool:
    return bool(estimator.__sklearn_tags__().input_tags.allow_nan)


def _ordinal() -> OrdinalEncoder:
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MAX_CATEGORIES,
    )


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def _scaled() -> Pipeline:
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True)),
            ("scale", StandardScaler()),
        ]
    )
