"""Families of estimators: which work and how, and why the others do not. This table is the place.

An estimator is compiled, or answers as scikit-learn's pipeline where the use case allows that, or
is refused before anything is read, by the name of the nearest that works.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import has_fit_parameter

from contract.errors import FourcycleError
from contract.use_case.estimator import Estimator
from contract.use_case.model import UseCase
from pipelines.model.estimator import build_estimator

Served = Literal["compiled", "sklearn", "refused"]
BOOSTING = "sklearn.ensemble.HistGradientBoosting{}"
LINEAR_CLASSIFIER = "sklearn.linear_model.LogisticRegression"


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
            *_both("AdaBoost", "Bagging", "Dummy", "GaussianProcess", "KNeighbors", "MLP"),
            *_both("Stacking", "Voting"),
            "BernoulliNB", "CalibratedClassifierCV", "ComplementNB", "GaussianNB", "KernelRidge",
            "LabelPropagation", "LabelSpreading", "MultinomialNB", "NearestCentroid", "NuSVC",
            "NuSVR", "OneVsRestClassifier", "PLSRegression", "QuadraticDiscriminantAnalysis",
            "RANSACRegressor", "SGDClassifier", "SVC", "SVR", "TransformedTargetRegressor",
        ),
        "sklearn",
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
        LINEAR_CLASSIFIER,
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


def refusal(use_case: UseCase) -> str | None:
    """Why this estimator can't be trained and served as the use case declares it; None: it can.

    Reads no data. One sentence that says what would be right.
    """
    why = _never(use_case)
    if not why:
        try:
            estimator = build_estimator(use_case, use_case.estimator.parameters)
        except FourcycleError as error:
            return str(error)
        why = _unfit(use_case, estimator) or _unserved(use_case, estimator)
    return f"estimator.path: {use_case.estimator.path} {why}." if why else None


def _never(use_case: UseCase) -> str:
    """Why it is refused whatever its parameters are."""
    family = family_of(use_case.estimator)
    if family is None or family.served != "refused":
        return ""
    return f"can't be served: {family.why}; {_nearest(use_case, family.instead)} can"


def _unfit(use_case: UseCase, estimator: Any) -> str:
    """What is in the way of fitting it for this task, with these columns."""
    wanted = is_classifier if use_case.classifies else is_regressor
    if not wanted(estimator):
        kind = "classifier" if use_case.classifies else "regressor"
        return f"is no {kind}, which task {use_case.task} needs; {_nearest(use_case)} is one"
    if use_case.weight and not has_fit_parameter(estimator, "sample_weight"):
        declared = f"weight: {use_case.weight} is declared"
        return f"takes no weights, and {declared}; {_nearest(use_case)} does"
    target = use_case.columns[use_case.target].type
    family = family_of(use_case.estimator)
    if family and family.package == "xgboost" and use_case.classifies and target == "string":
        other = "lightgbm.LGBMClassifier"
        return f"knows no classes that are text, and {use_case.target!r} holds text; {other} does"
    return ""


def _unserved(use_case: UseCase, estimator: Any) -> str:
    """What is in the way of serving it."""
    family = family_of(use_case.estimator)
    if use_case.classifies and not hasattr(estimator, "predict_proba"):
        wrapped = json.dumps({"estimator": {"path": use_case.estimator.path}}).replace('"', "")
        return (
            "answers no probabilities; sklearn.calibration.CalibratedClassifierCV with parameters: "
            f"{wrapped} does"
        )
    if family is None and not use_case.estimator.own:
        return (
            "is none of the estimators that are known (docs/estimators.md); the nearest is "
            f"{_nearest(use_case)}, and a class of your own may stand in a file beside the use case"
        )
    if (family is None or family.served == "sklearn") and not use_case.serving.allow_sklearn:
        return (
            "does not compile; with serving: {allow_sklearn: true} it is served all the same, "
            f"slower, and {_nearest(use_case)} compiles"
        )
    return ""


def _nearest(use_case: UseCase, instead: str = BOOSTING) -> str:
    return instead.format("Classifier" if use_case.classifies else "Regressor")
