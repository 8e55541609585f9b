"""Commands and environments of the manifests, run as processes of this host."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pipelines.main import Outcome
from pipelines.replaying.service_process import free_port
from tests.docker.test_images import ASK_CHECKED
from tests.serving.test_service import ROW
from tests.support import service
from tests.support.kubernetes import Container, container, needs_kubectl, shipped
from tests.support.project import PROJECT
from tests.support.rounds import FULL

pytestmark = needs_kubectl
PYTHON = {"PYTHONPATH": str(PROJECT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("overlay", ["dev", "prod"])
@pytest.mark.parametrize("name", ["serving", "monitor"])
def test_a_process_reads_what_the_manifests_set(overlay: str, name: str, tmp_path: Path) -> None:
    found = container(shipped(overlay), f"flights-{name}")
    _, environment = found.here(tmp_path)
    (tmp_path / "secrets/FOURCYCLE_LOG_SECRET").write_text("kept\n")
    process = subprocess.run(
        [sys.executable, "-c", ASK_CHECKED],
        env=environment | PYTHON,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    seen = json.loads(process.stdout)
    assert seen["tracking_uri"] == "http://tracking:5000"
    tables = {"dev": str(tmp_path / "tables"), "prod": "s3://fourcycle/tables"}
    assert seen["root"] == tables[overlay]
    assert seen["log_spool"] == str(tmp_path / "tables/.spool")
    assert seen["log_secret"] == "kept"
    if name == "serving":
        assert seen["serve_workers"] == {"dev": 1, "prod": 2}[overlay]
        assert seen["serve_cache"] == str(tmp_path / "cache")


@contextmanager
def running(found: Container, folder: Path, **given: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The container's command until the block ends."""
    command, environment = found.here(folder, **given)
    process = subprocess.Popen(command, env=environment | PYTHON, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=service.PATIENCE_S)


def probed(found: Container, probe: str, address: str) -> bool:
    """What a node asks, as the manifest says it."""
    asked = found.spec[probe]["httpGet"]
    headers = {header["name"]: header["value"] for header in asked.get("httpHeaders", [])}
    try:
        return httpx.get(address + asked["path"], headers=headers, timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.mark.skipif(not FULL, reason="a service once more: make faults")
def test_the_service_starts_answers_and_ends_in_its_time(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    found, port = container(shipped("dev"), "flights-serving"), free_port()
    given = {"MLFLOW_TRACKING_URI": f"sqlite:///{trained[0]}/mlflow.db"}
    given |= {"FOURCYCLE_SERVE_HOST": "127.0.0.1", "FOURCYCLE_SERVE_PORT": str(port)}
    penguins = Container(found.spec, found.environment | {"USE_CASE": "penguins"})
    service.copy_ledger(trained[0] / "data", home / "tables")
    with running(penguins, home, **given) as process:
        address = f"http://127.0.0.1:{port}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            service.until(probed, found, probe, address)
        row = {"rows": [ROW | {"penguin": 1}]}
        assert httpx.post(f"{address}/predict", json=row).is_success
        began = time.monotonic()
        process.terminate()
        assert process.wait(timeout=service.PATIENCE_S) == 0
        assert time.monotonic() - began < 75
    assert (home / "tables/penguins/predictions").is_dir()
    assert any((home / "cache").iterdir())


def test_a_job_runs_to_its_end(trained: tuple[Path, Outcome], home: Path) -> None:
    found = container(shipped("dev"), "flights-feedback")
    command, environment = found.here(home, MLFLOW_TRACKING_URI=f"sqlite:///{home}/mlflow.db")
    done = subprocess.run(
        command, env=environment | PYTHON, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list((home / "tables").rglob("*feedback*"))  # what is known of the job is kept there


@pytest.mark.skipif(not FULL, reason="MLflow's server once more: make faults")
def test_the_tracking_server_starts_and_takes_its_secrets_from_files(home: Path) -> None:
    found, port = container(shipped("dev"), "tracking"), free_port()
    given = {"ALLOWED_HOSTS": found.environment["ALLOWED_HOSTS"]}
    (home / "secrets").mkdir()
    # A variable that the server reads, of no other effect than that the address is another.
    (home / "secrets/MLFLOW_BACKEND_STORE_URI").write_text(f"sqlite:///{home}/secret.db\n")
    command, environment = found.here(home, **given)
    text = command[-1].replace("0.0.0.0", "127.0.0.1").replace("5000", str(port))
    process = subprocess.Popen(
        [*command[:-1], text], env=environment | PYTHON, cwd=home / "artifacts"
    )
    try:
        service.until(probed, found, "readinessProbe", f"http://127.0.0.1:{port}")
        assert (home / "secret.db").is_file()
        wrong = httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": "elsewhere"})
        assert wrong.status_code == 403
    finally:
        process.terminate()
        process.wait(timeout=service.PATIENCE_S)
