"""The served version: fetched, verified against its manifest, loaded without running its code."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pyarrow as pa
import skops.io
from mlflow import MlflowClient
from sklearn.pipeline import Pipeline

from contract.errors import Refused, Unavailable
from contract.frames import feature_frame
from contract.names import CHAMPION, USE_CASE_FILE
from contract.trusted_types import TRUSTED_TYPES
from contract.use_case import UseCase
from contract.use_case_file import parse_use_case

MODEL_FILE = "model.skops"
MANIFEST_FILE = "manifest.json"
NOT_SEALED = {MANIFEST_FILE, "registered_model_meta"}


@dataclass(frozen=True)
class ServedModel:
    """A version that may answer."""

    name: str
    version: str
    use_case: UseCase
    pipeline: Pipeline


@dataclass(frozen=True)
class Scored:
    """Answers for (n_rows,) rows; classifiers also say a probability for each class."""

    prediction: list[Any]
    probability: list[list[float]] | None
    classes: tuple[Any, ...]


def champion_version(client: MlflowClient, name: str) -> str | None:
    """Number of the version that the alias points at; None while there is none."""
    try:
        return str(client.get_model_version_by_alias(name, CHAMPION).version)
    except mlflow.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise Unavailable(f"The registry did not answer: {error.error_code}.") from error


def fetch(name: str, version: str, folder: Path) -> ServedModel:
    """Download a version into `folder`, verify it, load it; Refused when anything is not right."""
    try:
        source = f"models:/{name}/{version}"
        found = Path(mlflow.artifacts.download_artifacts(source, dst_path=str(folder)))
        verify(found)
        text = (found / USE_CASE_FILE).read_text(encoding="utf-8")
        pipeline = skops.io.load(found / MODEL_FILE, trusted=list(TRUSTED_TYPES))
    except (OSError, ValueError, skops.io.exceptions.UntrustedTypesFoundException) as error:
        raise Refused(f"Version {version} of {name} can't be served: {error}") from error
    except mlflow.MlflowException as error:
        raise Unavailable(f"Version {version} of {name} can't be fetched: {error}") from error
    if not isinstance(pipeline, Pipeline):
        raise Refused(f"Version {version} of {name} holds no scikit-learn pipeline.")
    return ServedModel(name, version, parse_use_case(text, USE_CASE_FILE, found), pipeline)


def verify(folder: Path) -> None:
    """Compare every file with the manifest; Refused when one differs, is missing or is foreign."""
    sealed = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    if not isinstance(sealed, dict):
        raise Refused(f"{MANIFEST_FILE} is no mapping of file names to SHA-256.")
    there = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        if name not in NOT_SEALED  # at the top alone: deeper, the same name is a stranger
    }
    wrong = sorted(name for name in {*sealed, *there} if sealed.get(name) != there.get(name))
    if wrong:
        raise Refused(f"The artifact is not what was registered; differing: {', '.join(wrong)}.")


def score(served: ServedModel, rows: pa.Table) -> Scored:
    """The pipeline's answers on checked rows; Refused unless they are finite and whole."""
    frame = feature_frame(rows, served.use_case)
    if not served.use_case.classifies:
        prediction = served.pipeline.predict(frame)
        return _whole(Scored(prediction.tolist(), None, ()), rows.num_rows)
    probability = served.pipeline.predict_proba(frame)
    classes = served.pipeline.classes_
    chosen = classes[probability.argmax(axis=1)].tolist()
    scored = Scored(chosen, probability.tolist(), tuple(classes.tolist()))
    return _whole(scored, rows.num_rows)


def _whole(scored: Scored, n_rows: int) -> Scored:
    numbers = [p for row in scored.probability or [] for p in row]
    numbers += [p for p in scored.prediction if isinstance(p, float)]
    if len(scored.prediction) != n_rows or not all(map(math.isfinite, numbers)):
        raise Refused("The model gave no usable answer.")
    return scored
