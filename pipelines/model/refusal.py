"""Why an estimator is refused, said before anything is read and with the nearest that works."""

import json
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import has_fit_parameter

from contract.errors import FourcycleError, Refused
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from pipelines.model.estimator import build_estimator, constrains
from pipelines.model.families import BOOSTING, family_of
from pipelines.model.preprocess import category_limit, one_number


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
    if why := _too_many(use_case, estimator) or _misnamed(use_case, estimator):
        return why
    target = use_case.columns[use_case.target].type
    family = family_of(use_case.estimator)
    if family and family.package == "xgboost" and use_case.classifies and target == "string":
        other = "lightgbm.LGBMClassifier"
        return f"knows no classes that are text, and {use_case.target!r} holds text; {other} does"
    return ""


def _too_many(use_case: UseCase, estimator: Any) -> str:
    """Which column declares more categories than the estimator has bins for."""
    if "max_bins" not in estimator.get_params():
        return ""
    most = category_limit(estimator)
    for name, column in use_case.feature_columns.items():
        if column.encode is None and (column.max_categories or 0) > most:
            return (
                f"tells at most {most} categories apart, and columns.{name} declares "
                f"max_categories: {column.max_categories}; encode: target takes any number"
            )
    return ""


def _misnamed(use_case: UseCase, estimator: Any) -> str:
    """Which constraint names no column that the estimator sees as one number."""
    able = one_number(use_case)
    for parameter, value in estimator.get_params(deep=False).items():
        for name in value if constrains(parameter, value) else ():
            if name not in able:
                return (
                    f"is constrained by {parameter} in {name!r}, no column that stays one number; "
                    f"{nearest(name, able)}"
                )
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


def check_rows(use_case: UseCase, n_rows: int) -> None:
    """Refused where the estimator would allocate more for so many rows than any machine has."""
    family = family_of(use_case.estimator)
    if family and family.most_rows and n_rows > family.most_rows:
        raise Refused(
            f"estimator.path: {use_case.estimator.path} compares each row with each other, so it "
            f"takes {family.most_rows:,} rows at most, found {n_rows:,}; {_nearest(use_case)} does."
        )
