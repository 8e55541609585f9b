"""The encoding that derives from a use case: scikit-learn's own parts, in one order.

A text column is native (codes that the estimator knows for categories), one-hot, ordinal or target
encoded; numbers are passed through, or imputed and scaled where the estimator takes no NaN.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from contract.errors import Refused
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.estimator import Encoding

# HistGradientBoosting bins into 255 at most; rarer categories share the last code, or column.
MAX_CATEGORIES = 254
NATIVE = "categories"  # the transformer whose columns are categories to the estimator
NUMBERS = "numbers"
# A dense matrix up to here costs less time than a sparse one; scikit-learn copies some twice.
DENSE_BYTES = 512 * 2**20
MOST_DENSE_BYTES = 1024 * 2**20

FOLDS = 5  # of the target encoder
TARGETS = {"binary": "binary", "multiclass": "multiclass", "regression": "continuous"}


def knows_categories(estimator: BaseEstimator) -> bool:
    """Whether it takes ordinal codes for categories: histogram boosting, LightGBM, XGBoost."""
    package = type(estimator).__module__.partition(".")[0]
    return "categorical_features" in estimator.get_params() or package in ("lightgbm", "xgboost")


def category_limit(estimator: BaseEstimator) -> int:
    """How many categories it tells apart where a column declares no limit: one for each bin."""
    bins = estimator.get_params().get("max_bins")
    return min(MAX_CATEGORIES, bins) if isinstance(bins, int) else MAX_CATEGORIES


def encoding_of(column: Column, native: bool) -> Encoding | Literal["native"]:
    """How a text column is encoded for an estimator that knows categories, or does not."""
    return column.encode or ("native" if native else "one-hot")


def build_encoder(
    use_case: UseCase, estimator: BaseEstimator, sparse: bool = False
) -> ColumnTransformer:
    """An unfitted encoder of the use case's features for this estimator.

    Native codes stand first and numbers last; `sparse` matrices are for one-hot columns alone.
    """
    native = knows_categories(estimator)
    groups: dict[tuple[str, int], list[str]] = {}
    features = use_case.feature_columns
    for name, column in ((n, c) for n, c in features.items() if c.type == "string"):
        kind: str = encoding_of(column, native)
        most = category_limit(estimator) if kind == "native" else MAX_CATEGORIES
        limit = 0 if kind == "target" else column.max_categories or most
        groups.setdefault((kind, limit), []).append(name)
    numbers = [n for n, column in features.items() if column.type != "string"]
    parts: list[Any] = []
    for (how, limit), names in sorted(groups.items(), key=lambda group: group[0][0] != "native"):
        encoder = _text_encoder(use_case, estimator, how, limit, names, sparse)
        parts.append((_name(how, limit), encoder, names))
    if numbers:
        kept = takes_nan(estimator)
        parts.append((NUMBERS, "passthrough" if kept else _scaled(estimator), numbers))
    return ColumnTransformer(parts, sparse_threshold=float(sparse))


def _name(kind: str, limit: int) -> str:
    """Name of a group's transformer; limits other than ours tell groups of a kind apart."""
    base = NATIVE if kind == "native" else kind
    return base if limit in (0, MAX_CATEGORIES) else f"{base} {limit}"


def _text_encoder(
    use_case: UseCase,
    estimator: BaseEstimator,
    kind: str,
    limit: int,
    names: list[str],
    sparse: bool,
) -> Any:
    match kind:
        case "native":
            return _ordinal("auto", limit)
        case "one-hot":
            return OneHotEncoder(
                handle_unknown="infrequent_if_exist", max_categories=limit, sparse_output=sparse
            )
        case "ordinal":
            columns = use_case.feature_columns
            declared = [columns[name].categories for name in names]
            order: Any = [list(c) for c in declared if c]
            encoder = _ordinal(order if len(order) == len(names) else "auto", limit)
            return encoder if takes_nan(estimator) else _after(encoder, _scaled(estimator))
    # Each part of the training rows is encoded by what the others say (scikit-learn's default).
    folds = (StratifiedKFold if use_case.classifies else KFold)(
        FOLDS, shuffle=True, random_state=use_case.estimator.seed
    )
    target = TargetEncoder(target_type=TARGETS[use_case.task], cv=folds)
    return target if takes_nan(estimator) else _after(target, _scaler(estimator))


def takes_nan(estimator: BaseEstimator) -> bool:
    """Whether a missing number may stay missing."""
    return bool(estimator.__sklearn_tags__().input_tags.allow_nan)


def takes_sparse(estimator: BaseEstimator) -> bool:
    """Whether the encoded matrix may be a sparse one."""
    return bool(estimator.__sklearn_tags__().input_tags.sparse)


def _ordinal(categories: Any, limit: int) -> OrdinalEncoder:
    return OrdinalEncoder(
        categories=categories,
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=limit,
    )


def _scaled(estimator: BaseEstimator) -> Pipeline:
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    return Pipeline([("impute", imputer), ("scale", _scaler(estimator))])


def _scaler(estimator: BaseEstimator) -> Any:
    if estimator.__sklearn_tags__().input_tags.positive_only:
        return MinMaxScaler(clip=True)
    return StandardScaler()


def _after(encoder: Any, then: Any) -> Pipeline:
    steps = then.steps if isinstance(then, Pipeline) else [("scale", then)]
    return Pipeline([("encode", encoder), *steps])


def one_number(use_case: UseCase) -> list[str]:
    """Features that any estimator sees as one number each, which it may be constrained in."""
    single = ("ordinal",) if use_case.task == "multiclass" else ("ordinal", "target")
    columns = use_case.feature_columns
    return [n for n, c in columns.items() if c.type != "string" or c.encode in single]


def matrix_widths(
    use_case: UseCase, estimator: BaseEstimator, n_values: Mapping[str, int], n_classes: int = 1
) -> dict[str, int]:
    """Columns that each feature has in the encoded matrix, but for those of missing numbers.

    `n_values` are the distinct values of each text column, null among them; `n_classes` is 1 but
    for a multiclass target.
    """
    native = knows_categories(estimator)
    return {
        name: _width(column, native, n_values.get(name, 1), n_classes)
        for name, column in use_case.feature_columns.items()
    }


def _width(column: Column, native: bool, n_values: int, n_classes: int) -> int:
    if column.type != "string":
        return 1
    match encoding_of(column, native):
        case "one-hot":
            return min(n_values, column.max_categories or MAX_CATEGORIES)
        case "target":
            return n_classes
    return 1


def is_sparse(
    use_case: UseCase,
    estimator: BaseEstimator,
    n_rows: int,
    n_values: Mapping[str, int],
    n_classes: int = 1,
) -> bool:
    """Whether the matrix of so many rows is to be sparse: where a dense one is large.

    Refused, before anything is allocated, where the estimator takes no sparse one and a dense one
    is too large for any machine that we promise to fit on.
    """
    widths = matrix_widths(use_case, estimator, n_values, n_classes)
    dense = n_rows * sum(widths.values()) * 8
    native = knows_categories(estimator)
    columns = use_case.feature_columns
    hot = [n for n, c in columns.items() if encoding_of(c, native) == "one-hot" and widths[n] > 1]
    if dense <= DENSE_BYTES or not hot:
        return False
    if takes_sparse(estimator):
        return True
    if dense <= MOST_DENSE_BYTES:
        return False
    widest = max(hot, key=widths.__getitem__)
    fits = MOST_DENSE_BYTES // 8 // n_rows - sum(widths.values()) + widths[widest]
    limit = f"max_categories: {fits} or " if fits > 1 else ""
    raise Refused(
        f"columns.{widest}: one-hot encoded, the matrix of {n_rows:,} rows needs "
        f"{dense / 2**30:.1f} GiB, and {type(estimator).__name__} takes no sparse one; {limit}"
        f"encode: target fits into {MOST_DENSE_BYTES / 2**30:.0f} GiB."
    )
