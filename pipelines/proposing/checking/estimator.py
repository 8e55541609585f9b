"""Whether the estimator can be built, takes its parameters, fits the task and can be served."""

import inspect
from collections.abc import Iterator

from sklearn.base import BaseEstimator

from contract.errors import BadInput
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from pipelines.model.estimator import build_estimator
from pipelines.model.refusal import refusal
from pipelines.proposing.checking.finding import CheckFinding, error

PARAMETERS = "estimator.parameters"


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """Build it and let scikit-learn judge its parameters; nothing is fitted."""
    unknown = list(_unknown(use_case))
    yield from unknown
    if unknown:
        return
    if reason := refusal(use_case):
        yield error(reason.rstrip("."))
        return
    yield from _searched(use_case)
    yield from _of_two_classes(use_case)


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


def _searched(use_case: UseCase) -> Iterator[CheckFinding]:
    """The ends of each interval, and each choice, one at a time."""
    for name, space in use_case.estimator.search.items():
        ends = [v if v is None or not space.integer else int(v) for v in (space.low, space.high)]
        for value in space.choices or ends:
            try:
                _built(use_case, {name: value})
            except BadInput as problem:
                place = f"estimator.search.{name}"
                yield error(str(problem).replace(PARAMETERS, place, 1).rstrip("."))
                break


def _of_two_classes(use_case: UseCase) -> Iterator[CheckFinding]:
    tags = _built(use_case, {}).__sklearn_tags__().classifier_tags
    if use_case.task == "multiclass" and tags is not None and not tags.multi_class:
        yield error(
            f"estimator.path: {use_case.estimator.path} knows two classes only; take one for more, "
            "such as sklearn.linear_model.LogisticRegression"
        )


def _built(use_case: UseCase, changes: dict[str, object]) -> BaseEstimator:
    return build_estimator(use_case, use_case.estimator.parameters | changes)
