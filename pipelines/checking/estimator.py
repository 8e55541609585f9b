"""Whether the estimator can be built, takes its parameters, fits the task and can be served."""

import inspect
from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils._param_validation import InvalidParameterError

from contract.errors import BadInput
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from pipelines.checking.finding import CheckFinding, error
from pipelines.compiler.estimators.registry import compiles
from pipelines.model.preprocess import build_estimator

ALIKE = {True: "sklearn.linear_model.LogisticRegression", False: "sklearn.linear_model.Ridge"}


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """Build it and let scikit-learn judge its parameters; nothing is fitted."""
    unknown = list(_unknown(use_case))
    yield from unknown
    try:
        estimator = None if unknown else _built(use_case, {})
    except BadInput as problem:
        yield error(str(problem).rstrip("."))
        return
    if estimator is None:
        return
    yield from _validated(estimator)
    yield from _searched(use_case)
    unfit = list(_of_another_task(use_case, estimator))
    yield from unfit
    if not unfit:
        yield from _not_served(use_case, estimator)


def _built(use_case: UseCase, changes: dict[str, Any]) -> BaseEstimator:
    return build_estimator(use_case, use_case.estimator.parameters | changes)


def _unknown(use_case: UseCase) -> Iterator[CheckFinding]:
    """Parameters and searched ones that the estimator does not have, with the nearest word."""
    try:
        kind = type(build_estimator(use_case, {}))
    except BadInput:
        return  # there is no such class, or it asks for a parameter: building it says which
    accepted = inspect.signature(kind).parameters
    if any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        return  # XGBoost and LightGBM take any
    for section in ("parameters", "search"):
        for name in getattr(use_case.estimator, section):
            if name not in accepted:
                hint = nearest(name, list(accepted))
                yield error(
                    f"estimator.{section}.{name}: {kind.__name__} has no such parameter; {hint}"
                )


def _validated(estimator: BaseEstimator) -> Iterator[CheckFinding]:
    if said := _refused_parameters(estimator):
        yield error(f"estimator.parameters: {said}")


def _searched(use_case: UseCase) -> Iterator[CheckFinding]:
    """The ends of each interval, and each choice, one at a time."""
    for name, space in use_case.estimator.search.items():
        ends = [v if v is None or not space.integer else int(v) for v in (space.low, space.high)]
        for value in space.choices or ends:
            if said := _refused_parameters(_built(use_case, {name: value})):
                yield error(f"estimator.search.{name}: {said}")
                break


def _refused_parameters(estimator: BaseEstimator) -> str:
    """What scikit-learn says of the parameters; "" where it has nothing to say."""
    if not hasattr(estimator, "_parameter_constraints"):
        return ""
    try:
        estimator._validate_params()
    except InvalidParameterError as refused:
        return str(refused).rstrip(".")
    return ""


def _of_another_task(use_case: UseCase, estimator: BaseEstimator) -> Iterator[CheckFinding]:
    path, kind = use_case.estimator.path, "classifier" if use_case.classifies else "regressor"
    fits = is_classifier(estimator) if use_case.classifies else is_regressor(estimator)
    hint = f"such as {ALIKE[use_case.classifies]}"
    if not fits:
        yield error(f"estimator.path: the task {use_case.task} needs a {kind}, {path} is none")
        return
    if use_case.classifies and not hasattr(estimator, "predict_proba"):
        able = hasattr(type(estimator), "predict_proba")
        why = "with these parameters " if able else ""
        yield error(
            f"estimator.path: {path} gives no probabilities {why}(predict_proba), and a "
            f"classification answers them; take one that does, {hint}"
        )
    tags = estimator.__sklearn_tags__().classifier_tags
    if use_case.task == "multiclass" and tags is not None and not tags.multi_class:
        yield error(f"estimator.path: {path} knows two classes only; take one for more, {hint}")


def _not_served(use_case: UseCase, estimator: BaseEstimator) -> Iterator[CheckFinding]:
    if not use_case.serving.allow_sklearn and not compiles(estimator):
        yield error(
            f"estimator.path: {use_case.estimator.path} is none of those that compile for serving "
            f"(docs/scorer.md), {ALIKE[use_case.classifies]} does; or let the service run it in "
            "scikit-learn: serving: {allow_sklearn: true}"
        )
