"""A champion that answers tables and files: a small model in a real registry, made in seconds."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from contract.names import REFERENCE_DIR, USE_CASE_FILE
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from monitoring.windows.reference import Rows, freeze
from pipelines.package import seal
from pipelines.runtime.workspace import Workspace, connected
from tests.conftest import copy_world
from tests.support.small import Registry, client_of, register, save_model

DECLARED = """
name: orders
title: Orders
task: binary
source: {parquet: rows.parquet}
keys: [id]
event_time: moment
target: kind
positive: b
columns:
  id: {type: integer}
  moment: {type: timestamp}
  kind: {type: string}
  size: {type: number, min: -5, max: 20}
validation: {max_quarantined_share: 0.1}
split: {by: random}
estimator: {path: sklearn.linear_model.LogisticRegression}
evaluation: {metric: roc_auc}
monitoring: {min_rows: 30, every: day}
privacy: {retention_days: 30}
"""
DAY = datetime(2024, 2, 1, tzinfo=UTC)


def rows(n_rows: int, first: int = 0) -> pd.DataFrame:
    """Orders of one day, their ids from `first` on."""
    random = np.random.default_rng(first)
    return pd.DataFrame(
        {
            "id": np.arange(first, first + n_rows),
            "moment": [DAY] * n_rows,
            "size": random.uniform(0, 10, n_rows).round(6),
        }
    )


def copied(made: Path, home: Path) -> Workspace:
    """Store, tables and declaration of a folder in another; the workspace there."""
    copy_world(made, home)
    shutil.copy(made / "orders.yaml", home)
    return opened(home)


def declare(folder: Path, more: str = "") -> None:
    """The use case's file in a folder, with more keys."""
    (folder / "orders.yaml").write_text(DECLARED + more, encoding="utf-8")


def packaged(folder: Path) -> Path:
    """The folder, with the package of a version that answers; no registry."""
    declare(folder)
    package(folder, "first")
    return folder


def make_registry(folder: Path, store: Path) -> Registry:
    """A store in the folder with a champion of the declared use case."""
    shutil.copy(store / "mlflow.db", folder)
    declare(folder)
    registry = register(client_of(folder), "orders", folder)
    registry.promote(package(folder, "first"))
    return registry


def package(folder: Path, name: str, labels: str = "aabb") -> Path:
    """A sealed package with scorer, use case and reference; `labels` as in `save_model`."""
    made = save_model(folder / name, labels)
    known = rows(200, first=9_000)
    reference = made / REFERENCE_DIR
    reference.mkdir()
    chance = (known["size"] / 10).to_numpy()
    answers = pd.DataFrame(
        {
            "label": np.where(chance > 0.4, "b", "a"),
            "prediction": np.where(chance > 0.5, "b", "a"),
            "probability_a": 1 - chance,
            "probability_b": chance,
        }
    )
    sizes = known[["size"]]
    freeze(reference, sizes, Rows(sizes, answers), {"roc_auc": 0.9})
    shutil.copy(folder / "orders.yaml", made / USE_CASE_FILE)
    seal(made)
    return made


def opened(folder: Path) -> Workspace:
    """The use case as its file declares it now, in the folder's store."""
    settings = read_settings().model_copy(
        update={"tracking_uri": f"sqlite:///{folder}/mlflow.db", "root": str(folder / "data")}
    )
    return connected(load_use_case(str(folder / "orders.yaml")), settings, "monitoring")
