"""The scorer of a version that could not be compiled: its scikit-learn pipeline, same answers.

Slower, and only where the use case says `serving.allow_sklearn: true`. It is also what a compiled
scorer is compared with. Nothing else on a worker's path imports pandas or scikit-learn.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import skops.io
from sklearn.pipeline import Pipeline

from contract.errors import Refused
from contract.names import SCORER_DIR
from contract.store.frames import feature_table, framed
from contract.store.schema import TYPES
from contract.use_case.features import Columns
from contract.use_case.model import UseCase
from serving.scoring.deriving_step import of_features
from serving.scoring.own_code import OwnClass, trusted
from serving.scoring.scorer import SCORER_FILE, Floats, Scorer
from serving.scoring.trusted_types import TRUSTED_TYPES

MODEL_FILE = "model.skops"
UNREAD = (
    skops.io.exceptions.UntrustedTypesFoundException, BadZipFile, KeyError, OSError, ValueError
)  # fmt: skip


def open_pipeline(package: Path, code: Path | None) -> Pipeline:
    """The fitted pipeline of a package; the user's own class comes from the folder `code`.

    Refused where the pipeline can't be had, TypeError and ValueError where its plan is damaged.
    """
    return load_pipeline(package / MODEL_FILE, trusted(_own_class(package), code))


def load_pipeline(file: Path, own: tuple[str, ...] = ()) -> Pipeline:
    """A fitted pipeline of a skops file; `own` are trusted types beside those on our list.

    Refused where the file can't be read, holds a type that is not trusted, or no pipeline.
    """
    try:
        model: Any = skops.io.load(file, trusted=[*TRUSTED_TYPES, *own])
    except UNREAD as error:
        raise Refused(f"{file.name} can't be trusted or read: {error}") from error
    if not isinstance(model, Pipeline):
        raise Refused(f"{file.name} holds no scikit-learn pipeline, found {type(model).__name__}.")
    return of_features(model)


def foreign_types(package: Path) -> list[str]:
    """Types in a package's skops file that are not trusted; nothing of the file is built."""
    own = _own_class(package)
    trusted_here = {*TRUSTED_TYPES, *([own.type_name] if own else [])}
    return sorted(set(skops.io.get_untrusted_types(file=package / MODEL_FILE)) - trusted_here)


def _own_class(package: Path) -> OwnClass | None:
    """The user's own class that a package names; None where it names none."""
    file = package / SCORER_DIR / SCORER_FILE
    plan = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return OwnClass(**plan["own_class"]) if "own_class" in plan else None


@dataclass(frozen=True, slots=True)
class AskedPipeline:
    """Asks a pipeline: probabilities (n_rows, n_classes), or numbers (n_rows, 1).

    What the pipeline raises on rows comes through.
    """

    model: Pipeline
    use_case: UseCase

    def __call__(self, columns: Columns) -> Floats:
        """Of one list (n_rows,) for each feature."""
        given = {name: list(columns[name]) for name in self.use_case.features}
        return self._of_table(feature_table(given, self.use_case))

    def of_arrays(self, columns: Mapping[str, pa.Array]) -> Floats:
        """Of columns in their declared types, (n_rows,) each."""
        declared = self.use_case.feature_columns.items()
        typed = {name: columns[name].cast(TYPES[column.type]) for name, column in declared}
        return self._of_table(pa.table(typed))

    def _of_table(self, features: pa.Table) -> Floats:
        frame, model = framed(features, self.use_case), self.model
        asked = model.predict_proba if self.use_case.classifies else model.predict
        return np.asarray(asked(frame), dtype=float).reshape(len(frame), -1)


def pipeline_scorer(model: Pipeline, use_case: UseCase) -> Scorer:
    """A scorer that asks the pipeline."""
    return Scorer(use_case.features, classes_of(model, use_case), AskedPipeline(model, use_case))


def classes_of(model: Pipeline, use_case: UseCase) -> tuple[Any, ...]:
    """The classes in the target's declared type and the order of `predict_proba`, (n_classes,).

    None for a regression.
    """
    if not use_case.classifies:
        return ()
    classes: list[Any] = model.classes_.tolist()
    if use_case.columns[use_case.target].type == "boolean":  # XGBoost calls them 0 and 1
        return tuple(map(bool, classes))
    return tuple(classes)
