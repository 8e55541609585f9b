"""A small package in a real registry: followed, refused when it is changed, and logged."""

import hashlib
import json
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
from contract.names import CHALLENGER, CHAMPION, SCORER_DIR, USE_CASE_FILE
from contract.settings import Settings
from contract.tables import Tables
from contract.use_case_file import parse_use_case
from pipelines.compile import write_scorer
from serving.__main__ import main
from serving.access_log import AccessLog
from serving.app import create_app
from serving.cache import Announcement, Cache
from serving.current import Current
from serving.follow import Follower
from serving.keys import Keys
from serving.log import open_log
from serving.metrics import Metrics
from serving.shipper import Shipper

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
    cache: Cache

    def point(self, alias: str, version: str) -> None:
        self.client.set_registered_model_alias(self.name, alias, version)

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
        self.point(CHAMPION, version)
        return version

    def follower(self, shadow: bool = False) -> Follower:
        return Follower(lambda: self.client, self.cache, self.name, shadow)


@pytest.fixture
def registry(store: Path, home: Path) -> Registry:
    client = client_of(store)
    client.create_registered_model(home.name)
    return Registry(client, home.name, store / "model", Cache(home / "cache"))


def champion_of(announced: Announcement) -> str | None:
    return announced.champion.version if announced.champion else None


def test_a_champion_that_appears_moves_or_comes_back_is_announced(
    registry: Registry, home: Path
) -> None:
    follower = registry.follower()
    assert champion_of(follower.look()) is None
    versions = [registry.promote(home / "one"), registry.promote(home / "two")]
    assert champion_of(follower.look()) == versions[1]
    registry.point(CHAMPION, versions[0])
    announced = follower.look()
    assert champion_of(announced) == versions[0]
    assert announced.previous
    assert announced.previous.version == versions[1]
    assert announced == registry.cache.read()
    assert announced.trouble == ""


def test_only_versions_that_may_be_asked_for_stay_in_the_cache(
    registry: Registry, home: Path
) -> None:
    follower = registry.follower()
    for name in ("one", "two", "three"):
        registry.promote(home / name, SMALL + f"owner: {name}\n")
        announced = follower.look()
    assert announced.champion
    assert announced.previous
    (registry.cache.folder / "versions" / "left-over").mkdir()
    follower.look()
    kept = {folder.name for folder in (registry.cache.folder / "versions").iterdir()}
    assert kept == {announced.champion.digest, announced.previous.digest}


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
    bad = registry.promote(home / "bad", SMALL + "owner: another\n")
    (home / "bad" / file).parent.mkdir(exist_ok=True)
    (home / "bad" / file).write_bytes(content)
    caplog.clear()
    follower.look()
    announced = registry.follower().look()  # another process remembers
    assert champion_of(announced) == good
    assert [(r.version, said in r.reason) for r in announced.refused] == [(bad, True)]
    assert announced.trouble.endswith(f"version {good} serves on.")
    assert said in caplog.records[0].getMessage()


def test_a_package_with_an_unreadable_use_case_is_refused(registry: Registry, home: Path) -> None:
    registry.promote(home / "bad", "name: small")
    announced = registry.follower().look()
    assert champion_of(announced) is None
    assert "nothing is served yet" in announced.trouble
    assert len(announced.refused) == 1


def test_an_alias_that_is_gone_is_said_and_the_version_serves_on(
    registry: Registry, home: Path
) -> None:
    follower = registry.follower()
    promoted = registry.promote(home / "one")
    follower.look()
    registry.client.delete_registered_model_alias(registry.name, CHAMPION)
    announced = follower.look()
    assert champion_of(announced) == promoted
    assert "carries the alias 'champion'" in announced.trouble
    assert announced.reachable


def test_a_registry_that_is_away_is_said_and_the_version_serves_on(
    registry: Registry, home: Path
) -> None:
    promoted = registry.promote(home / "one")
    answered = registry.follower().look()
    away = Follower(lambda: MlflowClient("bad://", "bad://"), registry.cache, registry.name)
    announced = away.look()
    assert champion_of(announced) == promoted
    assert not announced.reachable
    assert announced.polled == answered.polled
    assert "does not answer" in announced.trouble


def test_a_cached_version_that_was_damaged_is_fetched_anew(registry: Registry, home: Path) -> None:
    promoted = registry.promote(home / "one")
    announced = registry.follower().look()
    assert announced.champion
    place = registry.cache.version_folder(announced.champion.digest)
    (place / USE_CASE_FILE).write_text("")
    assert champion_of(registry.follower().look()) == promoted
    assert (place / USE_CASE_FILE).read_text() == SMALL


def test_a_damaged_announcement_is_replaced(registry: Registry, home: Path) -> None:
    promoted = registry.promote(home / "one")
    registry.follower().look()
    (registry.cache.folder / "current.json").write_text("{")
    assert champion_of(registry.follower().look()) == promoted


def test_the_challenger_is_fetched_only_for_a_shadow(registry: Registry, home: Path) -> None:
    version = registry.promote(home / "one")
    registry.point(CHALLENGER, version)
    assert registry.follower().look().challenger is None
    challenger = registry.follower(shadow=True).look().challenger
    assert challenger
    assert challenger.version == version


@contextmanager
def serving(current: Current, settings: Settings) -> Iterator[str]:
    """The application over real HTTP, on a port of its own."""
    app = create_app(
        current,
        open_log(settings, "small"),
        settings,
        mlflow.__version__,
        metrics=Metrics(),
        keys=Keys(None),
        access_log=AccessLog(None),
        clock=lambda: ARRIVAL,
    )
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
    settings = Settings(root=str(home / "data"))
    current, tables = Current(registry.cache, registry.name, 60), Tables(settings.root, "small")
    with serving(current, settings) as address:
        assert httpx.get(f"{address}/health").status_code == 503
        registry.promote(home / "one")
        registry.follower().look()
        current.refresh()
        assert httpx.get(f"{address}/health").status_code == 200
        sent = {"rows": [{"id": 5, "size": 10}, {"size": 0}]}
        body = httpx.post(f"{address}/predict", json=sent).json()
    Shipper(settings.spool_folder("small"), tables).drain()
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
