"""A small model in a real registry: saved once in seconds, registered as often as a test likes."""

import hashlib
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contract.names import CHAMPION, SCORER_DIR, USE_CASE_FILE
from contract.package import MANIFEST_FILE, package_said
from contract.signing import sign
from contract.store.ledger import (
    LedgerEntry,
    Move,
    RegistryState,
    append_entry,
    entry_said,
    read_entries,
)
from contract.store.tables import Tables
from contract.use_case.loader import parse_use_case
from pipelines.compiler.compile import write_scorer
from pipelines.package import seal
from serving.scoring.version import check_golden, load_version
from tracking.tags import LEDGER_TAG, PACKAGE_TAG, SIGNATURE_TAG

SMALL = """
name: small
title: Small
task: binary
source: {csv: rows.csv}
keys: [id]
target: kind
positive: b
columns:
  id: {type: integer}
  kind: {type: string}
  size: {type: number}
split: {by: random}
estimator: {path: sklearn.linear_model.LogisticRegression}
evaluation: {metric: roc_auc}
"""


def save_model(folder: Path, labels: str = "aabb") -> Path:
    """A folder with model and scorer; `labels` are those of the sizes 0, 1, 9 and 10."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    frame = pd.DataFrame({"size": [0.0, 1.0, 9.0, 10.0]})
    pipeline.fit(frame, list(labels))
    mlflow.sklearn.save_model(pipeline, folder, pip_requirements=[])
    small = parse_use_case(SMALL, "small.yaml", folder)
    write_scorer(folder / SCORER_DIR, pipeline, small, pa.Table.from_pandas(frame))
    return folder


def pack(model: Path, folder: Path, use_case: str = SMALL) -> Path:
    """A sealed package of a saved model."""
    shutil.copytree(model, folder)
    (folder / USE_CASE_FILE).write_text(use_case, encoding="utf-8")
    seal(folder)
    return folder


def client_of(folder: Path) -> MlflowClient:
    """A client of the sqlite registry in a folder, which MLflow's defaults are set to."""
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


def check_here(folder: Path, name: str, version: str, registered: str, _: bool) -> None:
    """The same check as the follower's, without the seconds that a process of its own costs."""
    check_golden(load_version(folder, name, version, registered))


@dataclass(frozen=True)
class Registry:
    """One registered model of a test's own, and the tables with its ledger."""

    client: MlflowClient
    name: str
    tables: Tables

    def add(self, package: Path) -> str:
        """Register a package as it is now; the number of its version."""
        manifest = (package / MANIFEST_FILE).read_bytes()
        tags = {PACKAGE_TAG: hashlib.sha256(manifest).hexdigest()}
        return str(self.client.create_model_version(self.name, str(package), tags=tags).version)

    def sign(self, version: str, key: str) -> str:
        """Sign a version as it is registered now; its number."""
        digest = self.client.get_model_version(self.name, version).tags[PACKAGE_TAG]
        signature = sign(key, *package_said(self.name, version, digest))
        self.client.set_model_version_tag(self.name, version, SIGNATURE_TAG, signature)
        return version

    def point(self, version: str, alias: str = CHAMPION) -> None:
        """Let the alias point at a version, as anybody can."""
        self.client.set_registered_model_alias(self.name, alias, version)

    def promote(self, package: Path) -> str:
        """Register a package and make it the champion."""
        version = self.add(package)
        self.move(version)
        return version

    def move(
        self, version: str, move: Move = "promote", key: str = "", package: str = ""
    ) -> LedgerEntry:
        """Make a version the champion as a move does: ledger, alias, mark; signed with a key.

        `package` is the digest that the entry names, "" for the one of the registry.
        """
        tags = self.client.get_model_version(self.name, version).tags
        package = package or tags.get(PACKAGE_TAG, "")
        state = RegistryState(champion=version)
        made = LedgerEntry(move, version, "anna", "a test", state, package=package)
        before = read_entries(self.tables)
        sealed = made.after(before[-1] if before else None, datetime.now(UTC))
        entry = replace(sealed, signature=sign(key, *entry_said(self.name, sealed)))
        assert append_entry(self.tables, entry)
        self.point(version)
        self.client.set_registered_model_tag(self.name, LEDGER_TAG, f"{entry.number} {entry.hash}")
        return entry


def register(client: MlflowClient, name: str, folder: Path) -> Registry:
    """A registered model without a version, and tables in the folder's `data`."""
    client.create_registered_model(name)
    return Registry(client, name, Tables(str(folder / "data"), name))
