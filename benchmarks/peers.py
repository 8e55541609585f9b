"""Servers that answer the same model: each as a process of its own, ready to be asked."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import httpx

from contract.settings import read_settings

PROJECT = Path(__file__).resolve().parent.parent
READY_S = 120.0
INSTALL_S = 900.0

MLSERVER = """{"name": "model", "implementation": "mlserver_mlflow.MLflowRuntime",
"parameters": {"uri": "%s"}}"""
BENTO = """
import bentoml, mlflow, pandas
@bentoml.service
class Model:
    def __init__(self):
        self.model = mlflow.pyfunc.load_model(%r)
    @bentoml.api(route="/invocations")
    def invocations(self, dataframe_split: dict) -> list:
        return self.model.predict(pandas.DataFrame(**dataframe_split)).tolist()
"""
SHIPPED_S = 15.0  # how long a measurement waits for the shipper to be done with the one before
BACKLOG = re.compile(
    r'^fourcycle_log_backlog_rows\{table="predictions"\} ([\d.e+]+)$', re.MULTILINE
)


class Skipped(Exception):
    """A peer that can't be had here, and why."""


@dataclass(frozen=True)
class Server:
    """A way to answer: its command with `{port}` in it, and where it tells that it is ready."""

    name: str
    command: tuple[str, ...]
    ready: str = "/ping"
    folder: Path = PROJECT
    settings: dict[str, str] = field(default_factory=dict)


def here(package: Path, tables: Path | None = None) -> list[Server]:
    """Servers that run in this environment; with `tables`, ours that keeps its answers, too."""
    uvicorn = (sys.executable, "-m", "uvicorn", "--log-level", "warning", "--no-access-log")
    mlflow = shutil.which("mlflow", path=str(Path(sys.executable).parent)) or "mlflow"
    serve = (mlflow, "models", "serve", "-m", str(package), "--env-manager", "local")
    ours = (sys.executable, "-m", "serving", "--port", "{port}")
    durable = {"FOURCYCLE_LOG_SYNC": "fsync", "FOURCYCLE_ROOT": str(tables)}
    return [
        # No peer keeps its answers; what that costs is measured by benchmarks.logging, too.
        Server("Fourcycle", ours, settings={"FOURCYCLE_LOG_SYNC": "off"}),
        *([Server("Fourcycle, fsync", ours, settings=durable)] if tables else []),
        Server(
            "FastAPI, a constant", (*uvicorn, "benchmarks.references:constant", "--port={port}")
        ),
        Server("bare uvicorn", (*uvicorn, "benchmarks.references:bare", "--port={port}")),
        Server("mlflow models serve", (*serve, "--port", "{port}", "--workers", "1")),
    ]


def mlserver(package: Path, cache: Path) -> Server:
    """MLServer with its MLflow runtime."""
    environment = _environment(cache / "mlserver", ["mlserver", "mlserver-mlflow"], package)
    folder = cache / "mlserver-model"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model-settings.json").write_text(MLSERVER % package)
    settings = {"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_PARALLEL_WORKERS": "0"}
    settings |= {"MLSERVER_GRPC_PORT": str(free_port()), "MLSERVER_METRICS_PORT": str(free_port())}
    command = (str(environment / "bin/mlserver"), "start", ".")
    return Server("MLServer", command, "/v2/models/model/ready", folder, settings)


def bentoml(package: Path, cache: Path) -> Server:
    """BentoML around the MLflow model."""
    environment = _environment(cache / "bentoml", ["bentoml"], package)
    folder = cache / "bentoml-service"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "service.py").write_text(BENTO % str(package))
    command = (str(environment / "bin/bentoml"), "serve", "service:Model", "--port", "{port}")
    return Server("BentoML", command, "/readyz", folder)


def _environment(folder: Path, packages: list[str], package: Path) -> Path:
    """An environment of the peer's own, with what the model itself needs; kept for next time."""
    if (folder / "done").exists():
        return folder
    asked = ["uv", "pip", "install", "--python", str(folder / "bin/python"), *packages]
    asked += ["-r", str(package / "requirements.txt")]
    try:
        subprocess.run(
            ["uv", "venv", "--clear", "--python", "3.11", str(folder)],
            check=True,
            capture_output=True,
        )
        subprocess.run(asked, check=True, capture_output=True, timeout=INSTALL_S)
    except (subprocess.SubprocessError, OSError) as error:
        raise Skipped(f"it does not install here ({type(error).__name__})") from error
    (folder / "done").touch()
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(server: Server) -> Iterator[str]:
    """The address of the server while it runs."""
    port = str(free_port())
    known = {k: v.replace("{port}", port) for k, v in server.settings.items()}
    settings = read_settings()
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MLFLOW_TRACKING_URI": settings.store_uri,
        "FOURCYCLE_ROOT": settings.table_root,
        "PYTHONPATH": str(PROJECT),
    }
    process = subprocess.Popen(
        [part.replace("{port}", port) for part in server.command],
        cwd=server.folder,
        env=environment | known,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address + server.ready)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_shipped(address: str) -> None:
    """Wait until no answers of an earlier turn are on their way into the table."""
    deadline = time.monotonic() + SHIPPED_S
    while time.monotonic() < deadline:
        backlog = BACKLOG.search(httpx.get(f"{address}/metrics").text)
        if backlog is None or float(backlog[1]) == 0:
            return
        time.sleep(0.5)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise Skipped("it does not become ready here")
