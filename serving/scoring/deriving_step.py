"""The first step of a logged model whose features derive from what is sent: for MLflow's clients.

They send what every caller sends, so the model must compute its features itself. Our own code takes
the step off again: it computes them by the same definition before it asks the pipeline.
"""

from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from contract.errors import Refused
from contract.store.frames import feature_frame
from contract.store.schema import conform
from contract.use_case.features import derivation
from contract.use_case.loader import frozen, parse_frozen
from contract.use_case.model import UseCase

NAME = "features"


class DerivedFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Frames of what was sent as frames of features, as a use case (its YAML) declares them."""

    def __init__(self, declared: str) -> None:
        self.declared = declared

    def fit(self, sent: pd.DataFrame, target: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, sent: pd.DataFrame) -> pd.DataFrame:
        """The features, (n_rows, n_features); Refused where a column does not fit."""
        use_case = parse_frozen(self.declared, Path())
        rows = conform(pa.Table.from_pandas(_typed(sent, use_case), preserve_index=False), use_case)
        wrong = {name: f"{name}: {why}" for name, why in rows.retyped.items()}
        wrong |= {name: f"{name} is missing" for name in rows.missing}
        if found := [wrong[name] for name in use_case.inputs if name in wrong]:
            raise Refused(f"The rows do not fit what the model reads: {'; '.join(found)}.")
        return feature_frame(rows.table, use_case)


def _typed(sent: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """The frame with nullable booleans as such, for which MLflow's type is a float."""
    booleans = {
        name: sent[name].map({0.0: False, 1.0: True}).astype(object)
        for name in use_case.inputs
        if use_case.columns[name].type == "boolean"
        and name in sent
        and sent[name].dtype.kind == "f"
        and sent[name].dropna().isin([0, 1]).all()
    }
    return sent.assign(**booleans)


def answering(model: Pipeline, use_case: UseCase) -> Pipeline:
    """The pipeline as it is logged: it takes what callers send."""
    if derivation(use_case) is None:
        return model
    return Pipeline([(NAME, DerivedFeatures(frozen(use_case))), *model.steps])


def of_features(model: Pipeline) -> Pipeline:
    """The pipeline as it was fitted: it takes features."""
    steps = [step for step in model.steps if not isinstance(step[1], DerivedFeatures)]
    return model if len(steps) == len(model.steps) else Pipeline(steps)
