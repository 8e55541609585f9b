"""The declared estimator as an object: its class, its parameters as scikit-learn takes them."""

import importlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError

from contract.errors import BadInput
from contract.use_case.model import UseCase
from serving.scoring.own_code import find_own, load_own

NESTED = {"path", "parameters"}  # keys of a mapping that stands for an estimator inside another


def build_estimator(use_case: UseCase, parameters: Mapping[str, Any]) -> BaseEstimator:
    """The declared estimator with these parameters, seeded and not yet fitted.

    BadInput where its class can't be loaded, is no estimator, or does not take the parameters.
    """
    return _build(use_case, use_case.estimator.path, parameters)


def _build(use_case: UseCase, path: str, parameters: Mapping[str, Any]) -> BaseEstimator:
    build = _class(use_case, path)
    accepted = inspect.signature(build).parameters
    given = {name: _read(use_case, name, value) for name, value in parameters.items()}
    if "random_state" in accepted:
        given.setdefault("random_state", use_case.estimator.seed)
    try:
        estimator: BaseEstimator = build(**given)
        if hasattr(estimator, "_parameter_constraints"):
            _checked(estimator, given)
    except (TypeError, InvalidParameterError) as error:
        raise BadInput(f"estimator.parameters: {path} does not take them: {error}") from error
    return estimator


def _checked(estimator: Any, given: Mapping[str, Any]) -> None:
    """Let scikit-learn judge the values; what names columns gets its own form only at the fit."""
    named = {name: None for name, value in given.items() if constrains(name, value)}
    before = {name: getattr(estimator, name) for name in named}
    estimator.set_params(**named)
    estimator._validate_params()
    estimator.set_params(**before)


def constrains(name: str, value: object) -> bool:
    """Whether a parameter holds monotonic constraints by the names of columns."""
    return name in ("monotonic_cst", "monotone_constraints") and isinstance(value, Mapping)


def _class(use_case: UseCase, path: str) -> Any:
    if ":" in path:
        return load_own(find_own(path, Path(use_case.source.folder)), Path(use_case.source.folder))
    module, _, name = path.rpartition(".")
    try:
        build = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"estimator.path: {path} can't be loaded: {error}") from error
    if not (inspect.isclass(build) and issubclass(build, BaseEstimator)):
        raise BadInput(f"estimator.path: {path} is no scikit-learn estimator.")
    return build


def _read(use_case: UseCase, name: str, value: Any) -> Any:
    """A value of the file as the estimator takes it."""
    if isinstance(value, Mapping):
        if "path" in value and value.keys() <= NESTED:
            return _build(use_case, str(value["path"]), value.get("parameters") or {})
        if name == "class_weight":
            return {_class_of(use_case, key): weight for key, weight in value.items()}
        return {key: _read(use_case, key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [_read(use_case, name, member) for member in value]
    return value


def _class_of(use_case: UseCase, text: str) -> Any:
    """A class in the target's type: keys of a mapping are text, whatever they were written as."""
    declared = use_case.columns[use_case.target].type
    if declared == "string":
        return text
    try:
        value = json.loads(text.lower())
    except ValueError:
        value = None
    if type(value) is not {"boolean": bool, "integer": int}.get(declared, float):
        raise BadInput(
            f"estimator.parameters: class_weight names the class {text!r}, and {use_case.target!r} "
            f"is {declared}."
        )
    return value
