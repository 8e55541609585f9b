import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from contract.errors import Refused
from contract.package import verify
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from pipelines.main import Outcome
from pipelines.replaying.service_process import free_port, service
from pipelines.runtime.workspace import open_workspace
from serving.scoring.version import check_golden, load_version
from tests.support.project import PROJECT
from tests.support.service import copy_ledger

ROW: dict[str, Any] = {
    "island": "Biscoe",
    "bill_length_mm": 45.2,
    "bill_depth_mm": 14,
    "flipper_length_mm": 210.0,
    "body_mass_g": 5000,
    "sex": None,
}


@pytest.fixture(scope="module")
def served(
    trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The trained penguins behind real HTTP, with a table root of its own."""
    folder, _ = trained
    root = tmp_path_factory.mktemp("served")
    copy_ledger(folder / "data", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("PYTHONPATH", str(PROJECT))
        patch.setenv("FOURCYCLE_SERVE_MAX_ROWS", "100")
        patch.setenv("FOURCYCLE_SERVE_MAX_BYTES", "100000")
        patch.setenv("FOURCYCLE_LOG_SEGMENT_S", "0.2")
        patch.setenv("FOURCYCLE_SHIP_EVERY_S", "0.2")
        with service("penguins", str(root), free_port()) as address:
            yield address, root


def connect_to(folder: Path) -> None:
    """Point MLflow at the store of a folder, registry included: both stay set between tests."""
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)


def post(address: str, path: str, **arguments: Any) -> httpx.Response:
    return httpx.post(f"{address}{path}", timeout=30, **arguments)


def test_predict_answers_with_probabilities_and_ids(served: tuple[str, Path]) -> None:
    answer = post(served[0], "/predict", json={"rows": [ROW, ROW | {"penguin": 7}]})
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["X-Model-Version"] == body["version"] == "1"
    assert answer.headers["X-Request-Id"] == body["request_id"]
    first = body["predictions"][0]
    assert first["prediction"] == "Gentoo"
    assert sum(first["probability"].values()) == pytest.approx(1)
    assert first["prediction_id"] == f"{body['request_id']}-0"


def test_mlflows_own_client_works(served: tuple[str, Path], trained: tuple[Path, Outcome]) -> None:
    host, port = served[0].removeprefix("http://").split(":")
    rows = Tables(str(trained[0] / "data"), "penguins").read("holdout").to_pandas()
    features = rows[list(load_use_case("penguins").features)].head(20)
    client = ScoringServerClient(host, int(port))
    client.wait_server_ready(timeout=10)
    # The client writes a missing number as NaN, which is no JSON; None it writes as null.
    sent = features.astype(object).where(features.notna(), None)
    answers = client.invoke(sent).get_predictions()
    connect_to(trained[0])
    expected = mlflow.pyfunc.load_model("models:/penguins@champion").predict(features)
    assert answers.iloc[:, 0].tolist() == list(expected)


def shipped(tables: Tables, request_id: str) -> list[dict[str, Any]]:
    """Rows of a request, once the shipper has brought them."""
    for _ in range(200):
        if tables.exists("predictions"):
            found = tables.read("predictions", where=f"request_id = '{request_id}'")
            rows: list[dict[str, Any]] = found.to_pylist()
            if rows:
                return rows
        time.sleep(0.1)
    raise AssertionError("nothing was shipped in 20 s")


def test_every_answered_row_is_logged_once(served: tuple[str, Path]) -> None:
    address, root = served
    sent = [ROW | {"penguin": 1000 + i} for i in range(25)]
    body = post(address, "/predict", json={"rows": sent}).json()
    told = [row["prediction_id"] for row in body["predictions"]]
    logged = shipped(Tables(str(root), "penguins"), body["request_id"])
    assert sorted(row["prediction_id"] for row in logged) == sorted(told)
    assert {row["penguin"] for row in logged} == {row["penguin"] for row in sent}
    assert logged[0]["inputs"]["island"] == "Biscoe"
    assert logged[0]["version"] == "1"


def test_health_and_version(served: tuple[str, Path]) -> None:
    for path in ("/ping", "/health"):
        assert httpx.get(served[0] + path).text == "\n"
    assert httpx.get(served[0] + "/version").text == mlflow.__version__


def package(trained: tuple[Path, Outcome], folder: Path) -> Path:
    connect_to(trained[0])
    source = mlflow.artifacts.download_artifacts("models:/penguins@champion")
    return Path(shutil.copytree(source, folder / "package"))


def test_a_changed_file_is_refused_by_name(trained: tuple[Path, Outcome], home: Path) -> None:
    folder = package(trained, home)
    verify(folder)
    (folder / "model.skops").write_bytes((folder / "model.skops").read_bytes()[:-1])
    (folder / "stranger.py").write_text("raise SystemExit")
    with pytest.raises(Refused, match=r"model.skops, stranger.py"):
        verify(folder)


def test_the_service_scores_like_the_pipeline(trained: tuple[Path, Outcome], home: Path) -> None:
    served = load_version(package(trained, home), "penguins", "1")
    check_golden(served)
    rows = Tables(str(trained[0] / "data"), "penguins").read("holdout")
    columns = {n: rows.column(n).to_pylist() for n in served.scorer.features}
    answers = served.scorer.score(columns).prediction
    hits = sum(a == b for a, b in zip(answers, rows.column("species").to_pylist(), strict=True))
    assert hits / len(answers) > 0.9


def test_it_starts_without_a_champion_and_says_not_ready(home: Path) -> None:
    with open_workspace("penguins"):
        pass
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    port = free_port()
    command = [sys.executable, "-m", "serving", "--use-case", "penguins", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert "not promoted yet" in process.stderr.readline()
        client = httpx.Client(transport=httpx.HTTPTransport(retries=20))
        assert client.get(f"http://127.0.0.1:{port}/ping").status_code == 503
        answer = client.post(f"http://127.0.0.1:{port}/predict", json={"rows": [ROW]})
        assert answer.status_code == 503
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stderr.close()
        client.close()
