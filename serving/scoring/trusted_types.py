"""Types that a model artifact may hold. MLflow trusts the list inside the artifact; we trust ours.

Every reader of a skops file passes exactly this list to `skops.io.load(..., trusted=...)`, so a
foreign type is refused before anything of the artifact is built. skops itself knows the estimators
of scikit-learn and numpy's arrays; these are what trees and histogram boosting hold besides, and
the models of LightGBM and XGBoost, which are built from numbers in their libraries' own formats.
"""

TRUSTED_TYPES: tuple[str, ...] = (
    "collections.OrderedDict",
    "functools.partial",  # of check_array alone: skops asks for each function by its own name
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)
