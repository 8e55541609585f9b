"""MLflow's user interface as a process of its own, in as few processes as one person needs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from contract.errors import Refused, Unavailable
from contract.settings import Settings

HOST = "127.0.0.1"
READY_S = 180
STOP_S = 10
# For one person: MLflow's job runners are for language models; with them and four workers it was
# 15 processes and 1.9 GiB instead of 2 and 0.5.
OPTIONS = ("--workers", "1", "--uvicorn-opts", "--log-level warning")
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
# Without the type, MLflow opens in its view for language models; and so it does when somebody goes
# on from its list of experiments. From a model's page all our links lead to the right view.
FIRST_PAGE = "/#/models?workflowType=machine_learning"


@contextmanager
def interface(settings: Settings, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """MLflow's server on the store, as a session of its own that ends with the block."""
    store = settings.store_uri
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    process = subprocess.Popen(
        [*command, "--registry-store-uri", store, "--host", HOST, "--port", str(port), *OPTIONS],
        cwd=settings.home,
        env=os.environ | ENVIRONMENT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a session: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break  # all of it has ended
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def remembered(settings: Settings, address: str) -> Iterator[None]:
    """Say beside the store where its interface is, so that links of other commands lead there."""
    file = settings.ui_file
    file.write_text(address, encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def wait_until_ready(process: "subprocess.Popen[bytes]", address: str) -> None:
    """Until it answers. Refused where it ends before, Unavailable where it takes too long."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Refused(f"MLflow's user interface ended with exit code {process.returncode}.")
        try:
            if httpx.get(f"{address}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)  # it is not listening yet
    raise Unavailable(f"MLflow's user interface did not answer at {address} within {READY_S} s.")
