"""A small package in a real registry: followed, refused when it is changed, and logged."""

import hashlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import mlflow
import pandas as pd
import pyarrow as pa
import pytest
import uvicorn
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contract.errors import BadInput
from contract.names import CHAMPION, SCORER_DIR, USE_CASE_FILE
from contract.settings import Settings
from contract.tables import Tables
from contract.use_case_file import parse_use_case
from pipelines.compile import write_scorer
from serving.__main__ import main
from serving.app import create_app
from serving.follow import Follower
from serving.log import PredictionLog

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
ARRIVAL = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one migrated registry and one saved model; both take seconds."""
    folder = tmp_path_factory.mktemp("store")
    client_of(folder).search_registered_models()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    frame = pd.DataFrame({"size": [0.0, 1.0, 9.0, 10.0]})
    pipeline.fit(frame, list("aabb"))
    mlflow.sklearn.save_model(pipeline, folder / "model", pip_requirements=[])
    small = parse_use_case(SMALL, "small.yaml", folder)
    write_scorer(folder / "model" / SCORER_DIR, pipeline, small, pa.Table.from_pandas(frame))
    return folder


def client_of(folder: Path) -> MlflowClient:
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


@dataclass(frozen=True)
class Registry:
    """A registered model of the test's own, without a version."""

    client: MlflowClient
    name: str
    model: Path

    def promote(self, folder: Path, use_case: str = SMALL) -> str:
        """Seal and register the saved model in `folder`, point the alias at it; its version."""
        shutil.copytree(self.model, folder)
        (folder / USE_CASE_FILE).write_text(use_case)
        sealed = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }
        (folder / "manifest.json").write_text(json.dumps(sealed))
        version = str(self.client.create_model_version(self.name, str(folder)).version)
        self.client.set_registered_model_alias(self.name, CHAMPION, version)
        return version

    def follower(self) -> Follower:
        return Follower(self.client, self.name, 60)


@pytest.fixture
def registry(store: Path, home: Path) -> Registry:
    client = client_of(store)
    client.create_registered_model(home.name)
    return Registry(client, home.name, store / "model")


def version_of(follower: Follower) -> str | None:
    served = follower.current()
    return served.version if served else None


def test_a_champion_that_appears_or_moves_is_followed(registry: Registry, home: Path) -> None:
    follower = registry.follower()
    follower.look()
    assert version_of(follower) is None
    for name in ("one", "two"):
        promoted = registry.promote(home / name)
        follower.look()
        assert version_of(follower) == promoted


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.skops", b"PK", "differing: model.skops"),
        ("stranger/manifest.json", b"{}", "differing: stranger/manifest.json"),
        ("manifest.json", b"[]", "no mapping"),
        ("manifest.json", b"{", "can't be served"),
    ],
)
def test_a_changed_package_is_refused_once_and_the_old_version_stays(
    registry: Registry,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    file: str,
    content: bytes,
    said: str,
) -> None:
    follower = registry.follower()
    good = registry.promote(home / "good")
    follower.look()
    registry.promote(home / "bad")
    (home / "bad" / file).parent.mkdir(exist_ok=True)
    (home / "bad" / file).write_bytes(content)
    caplog.clear()
    follower.look()
    follower.look()
    assert version_of(follower) == good
    assert [said in record.getMessage() for record in caplog.records] == [True]


def test_a_package_with_an_unreadable_use_case_is_refused_once(
    registry: Registry, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry.promote(home / "bad", "name: small")
    follower = registry.follower()
    caplog.set_level(logging.WARNING)
    follower.look()
    follower.look()
    assert version_of(follower) is None
    assert len(caplog.records) == 1


@contextmanager
def serving(follower: Follower, tables: Tables) -> Iterator[str]:
    """The application over real HTTP, on a port of its own."""
    log = PredictionLog(tables)
    app = create_app(follower.current, log, Settings(), mlflow.__version__, lambda: ARRIVAL)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def test_it_becomes_ready_and_writes_the_time_of_arrival(registry: Registry, home: Path) -> None:
    follower, tables = registry.follower(), Tables(str(home / "data"), "small")
    with serving(follower, tables) as address:
        assert httpx.get(f"{address}/health").status_code == 503
        registry.promote(home / "one")
        follower.look()
        assert httpx.get(f"{address}/health").status_code == 200
        sent = {"rows": [{"id": 5, "size": 10}, {"size": 0}]}
        body = httpx.post(f"{address}/predict", json=sent).json()
    assert [row["prediction"] for row in body["predictions"]] == ["b", "a"]
    rows = tables.read("predictions", order_by=["row"]).to_pylist()
    assert [row["id"] for row in rows] == [5, None]
    assert [row["prediction_id"] for row in rows] == [f"{body['request_id']}-{i}" for i in (0, 1)]
    assert {row["event_time"] for row in rows} == {ARRIVAL}
    assert all(row["latency_ms"] > 0 for row in rows)


@pytest.mark.parametrize("wrong", ["99999", "²", "-1"])
def test_a_wrong_port_is_said_plainly(wrong: str) -> None:
    with pytest.raises(BadInput, match="a number up to 65535 is needed"):
        main(port=wrong)


def test_a_busy_port_is_said_plainly_before_anything_slow() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = start(str(taken.getsockname()[1]))
    assert found.returncode == 2
    assert "the port is busy" in found.stderr
    assert found.stderr.count("\n") == 1


def start(port: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "serving", f"--port={port}"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
