"""Families of estimators: which work and how, and why the others do not. This table is the place.

An estimator is compiled, or answers as scikit-learn's pipeline where the use case allows that, or
is refused before anything is read, by the name of the nearest that works.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contract.use_case.sections.estimator import Estimator

Served = Literal["compiled", "sklearn", "refused"]
BOOSTING = "sklearn.ensemble.HistGradientBoosting{}"
LOGISTIC = "sklearn.linear_model.LogisticRegression"


@dataclass(frozen=True)
class Family:
    """Classes of one package that are alike, by name.

    `why` says what is in the way of those that are refused, or what holds for the rest; `instead`
    is the nearest that works, its end by the task ({}).
    """

    names: tuple[str, ...]
    served: Served
    why: str = ""
    instead: str = BOOSTING
    package: str = "sklearn"
    most_rows: int | None = None  # where what it allocates grows with their square


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("Classifier", "Regressor"))


FAMILIES: tuple[Family, ...] = (
    Family(
        _both(
            "DecisionTree", "ExtraTree", "ExtraTrees", "GradientBoosting", "HistGradientBoosting",
            "RandomForest",
        ),
        "compiled",
    ),
    Family(_both("LGBM"), "compiled", package="lightgbm"),
    Family(_both("XGB"), "compiled", package="xgboost"),
    Family(
        ("LinearDiscriminantAnalysis", "LogisticRegression", "LogisticRegressionCV"), "compiled"
    ),
    Family(
        (
            "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "GammaRegressor",
            "HuberRegressor", "Lars", "LarsCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsCV",
            "LassoLarsIC", "LinearRegression", "LinearSVR", "OrthogonalMatchingPursuit",
            "OrthogonalMatchingPursuitCV", "PoissonRegressor",
            "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
            "TweedieRegressor",
        ),
        "compiled",
    ),
    Family(
        (
            *_both("AdaBoost", "Bagging", "Dummy", "KNeighbors", "MLP"),
            *_both("Stacking", "Voting"),
            "BernoulliNB", "CalibratedClassifierCV", "ComplementNB", "GaussianNB",
            "MultinomialNB", "NearestCentroid", "NuSVC", "NuSVR", "OneVsRestClassifier",
            "PLSRegression", "QuadraticDiscriminantAnalysis",
            "RANSACRegressor", "SGDClassifier", "SVC", "SVR", "TransformedTargetRegressor",
        ),
        "sklearn",
    ),
    Family(
        (*_both("GaussianProcess"), "KernelRidge", "LabelPropagation", "LabelSpreading"),
        "sklearn",
        most_rows=10_000,
    ),
    Family(
        ("PassiveAggressiveRegressor",),
        "refused",
        "scikit-learn takes it out",
        "sklearn.linear_model.SGDRegressor",
    ),
    Family(
        ("LinearSVC", "PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier",
         "RidgeClassifierCV", "OneVsOneClassifier", "OutputCodeClassifier"),
        "refused",
        "it answers no probabilities",
        LOGISTIC,
    ),
    Family(
        ("ClassifierChain", "MultiOutputClassifier", "MultiOutputRegressor", "RegressorChain",
         "CCA", "PLSCanonical"),
        "refused",
        "it answers several targets, and a use case has one",
    ),
    Family(
        ("MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV"),
        "refused",
        "it answers several targets, and a use case has one",
        "sklearn.linear_model.ElasticNetCV",
    ),
    Family(
        _both("RadiusNeighbors"),
        "refused",
        "it has no answer to a row without neighbours",
        "sklearn.neighbors.KNeighbors{}",
    ),
    Family(
        ("FixedThresholdClassifier", "TunedThresholdClassifierCV"),
        "refused",
        "its threshold would have no effect, for an answer is the likeliest class",
    ),
    Family(
        ("SelfTrainingClassifier",),
        "refused",
        "it learns from rows without a label, and none reaches the training table",
    ),
    Family(("IsotonicRegression",), "refused", "it takes one feature alone"),
    Family(
        ("CategoricalNB",),
        "refused",
        "it takes counts of categories, and knows no value that it has not seen",
        "sklearn.naive_bayes.BernoulliNB",
    ),
)  # fmt: skip
TABLE: Mapping[tuple[str, str], Family] = {
    (family.package, name): family for family in FAMILIES for name in family.names
}


def family_of(declared: Estimator) -> Family | None:
    """The family of a declared estimator; None where it is of none that is known."""
    return TABLE.get((declared.path.partition(".")[0], declared.kind))
