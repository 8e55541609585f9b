"""MLflow's pages and the service, kept running for who wants to look around, until told to stop."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from contract.settings import Settings
from pipelines.replaying.service_process import STOP_S, free_port, is_free, service
from pipelines.runtime.console import console

UI_PORT = 5000
# Without them MLflow starts a dozen processes for what nobody here uses.
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def keep_running(use_case: str, root: str, settings: Settings) -> None:
    """Start both on their usual ports, or on free ones, and wait for Ctrl-C or SIGTERM."""
    told = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        port = _port(settings.serve_port)
        console().print("  … starting the service", markup=False)
        with service(use_case, root, port) as address, _pages(settings) as pages:
            console().print(f"  {pages}   runs, models and reports", markup=False)
            console().print(f"  {address}   the service; Ctrl-C stops both", markup=False)
            told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _pages(settings: Settings) -> Iterator[str]:
    """MLflow's user interface as a process of its own; its address, or that of the server."""
    if settings.store_uri.startswith(("http://", "https://")):
        yield settings.store_uri
        return
    port = str(_port(UI_PORT))
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", settings.store_uri]
    command += ["--host", "127.0.0.1", "--port", port, "--workers", "1"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | LEAN,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _port(wanted: int) -> int:
    return wanted if wanted and is_free(wanted) else free_port()
