"""A fitted pipeline: load it with our list of trusted types, and let it answer labelled rows."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sklearn.pipeline import Pipeline

from contract.errors import Refused
from contract.statistics.metrics import Floats, Scored
from contract.store.frames import feature_frame
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.scoring.own_code import OwnClass, trusted
from serving.scoring.score_batch import outputs
from serving.scoring.scorer import Scorer
from serving.scoring.sklearn_scorer import MODEL_FILE, classes_of, load_pipeline

MLFLOW_TYPES = {
    "string": DataType.string,
    "integer": DataType.long,
    "number": DataType.double,
    "boolean": DataType.boolean,
    "timestamp": DataType.string,  # MLflow's datetime knows no offset
}


def signature(use_case: UseCase) -> ModelSignature:
    """The MLflow signature that follows from the declared columns: what a caller sends."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(_type(use_case.columns[n]), n) for n in use_case.inputs
    ]
    # A label that is missing in training data is still never missing in an answer.
    answer = ColSpec(MLFLOW_TYPES[use_case.answer_type], "prediction")
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([answer]))


def load_model(uri: str, own: OwnClass | None = None, code: Path | None = None) -> Pipeline:
    """The fitted pipeline of a logged model; Refused when it holds a foreign type.

    One of the user's `own` class needs the folder `code` to hold its file.
    """
    folder = Path(mlflow.artifacts.download_artifacts(uri))
    try:
        return load_pipeline(folder / MODEL_FILE, trusted(own, code))
    except Refused as error:
        raise Refused(f"The model at {uri} can't be used: {error}") from error


def labels(rows: pa.Table, use_case: UseCase) -> npt.NDArray[np.generic]:
    """The target of labelled rows, (n_rows,), in its declared type."""
    dtype = {"boolean": bool, "integer": np.int64, "number": float}
    declared = use_case.columns[use_case.target].type
    values: pd.Series = rows.column(use_case.target).to_pandas()
    return values.to_numpy(dtype=dtype.get(declared, object))


def weights(rows: pa.Table, use_case: UseCase) -> Floats | None:
    """The declared weights of labelled rows, (n_rows,); None where none are declared."""
    if use_case.weight is None:
        return None
    values: Floats = rows.column(use_case.weight).cast(pa.float64()).to_numpy()
    return values


def score(model: Pipeline, rows: pa.Table, use_case: UseCase) -> Scored:
    """The model's answers on labelled rows, with their weights."""
    found, weight = labels(rows, use_case), weights(rows, use_case)
    return score_inputs(model, feature_frame(rows, use_case), found, use_case, weight)


def score_inputs(
    model: Any,
    inputs: Any,
    label: npt.NDArray[np.generic],
    use_case: UseCase,
    weight: Floats | None = None,
) -> Scored:
    """The answers of a pipeline on features, or of its estimator on what they are encoded to."""
    if not use_case.classifies:
        return Scored(label, model.predict(inputs).reshape(len(label)), weight=weight)
    return _chosen(model.predict_proba(inputs), classes_of(model, use_case), label, weight)


def answers(
    scorer: Scorer, rows: pa.Table, label: npt.NDArray[np.generic], weight: Floats | None = None
) -> Scored:
    """A scorer's answers on rows that hold what it reads, beside labels and weights, (n_rows,)."""
    numbers = outputs(scorer, rows)
    if not scorer.classes:
        return Scored(label, numbers[:, 0], weight=weight)
    return _chosen(numbers, scorer.classes, label, weight)


def _chosen(
    probability: Floats,
    classes: tuple[Any, ...],
    label: npt.NDArray[np.generic],
    weight: Floats | None,
) -> Scored:
    """A classifier's answers: the likeliest class, the first of several."""
    prediction = np.array(classes, dtype=label.dtype)[probability.argmax(axis=1)]
    return Scored(label, prediction, probability, classes, weight)


def _type(column: Column) -> DataType:
    if column.nullable and column.type in ("integer", "boolean"):
        return DataType.double
    return MLFLOW_TYPES[column.type]
