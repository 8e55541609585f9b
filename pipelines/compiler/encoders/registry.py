"""Every kind of encoder that compiles; a new kind is a file beside this one and a line here."""

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from pipelines.compiler.columns import Column, refused
from pipelines.compiler.encoders import imputer, one_hot, ordinal, scaler, target

# A step's name, the fitted step and its input columns; what it makes of them.
Encode = Callable[[str, Any, Sequence[Column]], list[Column]]
ENCODERS: dict[type, Encode] = {
    OneHotEncoder: one_hot.encode,
    OrdinalEncoder: ordinal.encode,
    SimpleImputer: imputer.encode,
    StandardScaler: scaler.encode,
    TargetEncoder: target.encode,
}


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """The columns that a fitted step makes of `columns`, in the order of its output.

    Pipelines and column transformers are walked through. Refused names a step that can't be
    compiled, and why.
    """
    match step:
        case "passthrough" | FunctionTransformer(func=None):
            return list(columns)
        case Pipeline():
            encoded = list(columns)
            for inner, fitted in step.steps:
                encoded = encode(f"{name}/{inner}", fitted, encoded)
            return encoded
        case ColumnTransformer():
            return _side_by_side(name, step, columns)
    for kind, encode_one in ENCODERS.items():
        if isinstance(step, kind):
            return encode_one(name, step, columns)
    raise refused(name, step, "it is none of the encoders that are known")


def _side_by_side(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    names = list(getattr(step, "feature_names_in_", []))
    encoded: list[Column] = []
    for inner, fitted, chosen in step.transformers_:
        if fitted == "drop" or not len(chosen):
            continue
        at = [names.index(c) if isinstance(c, str) else int(c) for c in chosen]
        encoded += encode(f"{name}/{inner}", fitted, [columns[i] for i in at])
    return encoded
