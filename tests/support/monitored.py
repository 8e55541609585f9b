"""Made predictions, labels and a registered version, for tests that need no training."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from contract.settings import Settings
from contract.store.feedback import feedback_schema
from contract.store.predictions import PARTITION, predictions_schema
from contract.store.tables import Tables
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from monitoring.windows.reference import Reference, Rows, freeze
from pipelines.package import seal
from serving.log.record import RecordSchema
from tracking.store import connect
from tracking.tags import PACKAGE_TAG

FEATURES = ["colour", "size", "group"]
LATER = datetime(2024, 6, 1, tzinfo=UTC)


def rows(n_rows: int, seed: int, start: str = "2024-02-01", shift: float = 0.0) -> pd.DataFrame:
    """Rows of the made use case, one each minute, whose label follows `size`."""
    random = np.random.default_rng(seed)
    size = random.normal(size=n_rows) + shift
    chance = 1 / (1 + np.exp(-2 * size))
    return pd.DataFrame(
        {
            "id": np.arange(n_rows) + 1_000_000 * seed,
            "moment": pd.date_range(start, periods=n_rows, freq="min", tz="UTC"),
            "late": random.random(n_rows) < chance,
            "colour": random.choice(["red", "green", "blue"], n_rows),
            "size": size,
            "group": random.choice(list("abcdefgh"), n_rows),
            "chance": chance,
        }
    )


def reference(n_rows: int = 4000) -> Reference:
    """What a model that knows the true chance would have left behind."""
    trained, held_out = rows(n_rows, 101), rows(n_rows, 102)
    answers = pd.DataFrame(
        {
            "label": held_out["late"],
            "prediction": held_out["chance"] > 0.5,
            "probability_False": 1 - held_out["chance"],
            "probability_True": held_out["chance"],
        }
    )
    return Reference(trained[FEATURES], Rows(held_out[FEATURES], answers), {"roc_auc": 0.8})


def register(folder: Path, use_case: UseCase, known: Reference | None = None) -> None:
    """A champion in the folder's store, with nothing but use case and reference in its package."""
    client = connect(Settings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    package, known = folder / "package", known or reference()
    (package / "reference").mkdir(parents=True)
    freeze(package / "reference", known.inputs, known.holdout, known.figures)
    (package / "use_case.yaml").write_text(frozen(use_case), encoding="utf-8")
    client.create_registered_model(use_case.name)
    tags = {PACKAGE_TAG: seal(package)}
    version = client.create_model_version(use_case.name, package.as_uri(), tags=tags)
    client.set_registered_model_alias(use_case.name, "champion", version.version)


def answer(tables: Tables, use_case: UseCase, asked: pd.DataFrame, version: str = "1") -> None:
    """Append records as the service writes them: their own answers, or those of the chance."""
    known = RecordSchema.of(use_case)
    inputs = pa.StructArray.from_arrays(
        [pa.array(asked[name]) for name in known.features], names=list(known.features)
    )
    n_rows = len(asked)
    columns = {
        "prediction_id": [f"r-{i}" for i in asked["id"]],
        "request_id": ["r"] * n_rows,
        "row": range(n_rows),
        "event_time": asked["moment"],
        PARTITION: asked["moment"].dt.date,
        "logged_time": [LATER] * n_rows,
        "model": [use_case.name] * n_rows,
        "version": [version] * n_rows,
        "id": asked["id"],
        "inputs": inputs,
        "prediction": asked.get("prediction", asked["chance"] > 0.5),
        "probability": asked.get("probability", pd.Series([[1 - p, p] for p in asked["chance"]])),
    }
    schema = predictions_schema(known.features, known.keys, known.prediction)
    table = pa.table({f.name: columns.get(f.name, pa.nulls(n_rows, f.type)) for f in schema})
    tables.append("predictions", table.cast(schema))


def label(
    tables: Tables,
    known: pd.DataFrame,
    by: str = "prediction_id",
    said: datetime = LATER,
    key_id: str | None = None,
    kind: str = "boolean",
) -> None:
    """Append labels that name their prediction, or the keys of its row."""
    n_rows = len(known)
    columns = {
        "prediction_id": [f"r-{i}" for i in known["id"]] if by == "prediction_id" else None,
        "id": known["id"] if by == "id" else None,
        "label": known["late"],
        "label_time": [said] * n_rows,
        "received_time": [said] * n_rows,
        "key_id": [key_id] * n_rows,
    }
    schema = feedback_schema({"id": "integer"}, kind)
    found = {
        f.name: pa.nulls(n_rows, f.type)
        if columns.get(f.name) is None
        else pa.array(columns[f.name], f.type)
        for f in schema
    }
    tables.append("feedback", pa.table(found, schema=schema))
