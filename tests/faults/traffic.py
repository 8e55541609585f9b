"""A real service under load, and what its clients were told."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from contract.tables import Tables
from pipelines.closure import PROJECT
from pipelines.replay import free_port

READY_S = 60.0
STOP_S = 60.0
ROW = {
    "island": "Biscoe",
    "bill_length_mm": 45.2,
    "bill_depth_mm": 14.0,
    "flipper_length_mm": 210.0,
    "body_mass_g": 5000.0,
    "sex": None,
}


@dataclass
class Service:
    """The service of the trained penguins as a process of its own."""

    process: "subprocess.Popen[bytes]"
    address: str
    root: Path

    @property
    def spool(self) -> Path:
        return self.root / ".spool" / "penguins"

    @property
    def tables(self) -> Tables:
        return Tables(str(self.root), "penguins")

    def parts(self, module: str) -> list[psutil.Process]:
        """Living processes of the service that run a module."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if module in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
        return found

    def stop(self) -> None:
        """As an operator does it; the shipper brings the last answers."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=STOP_S)


@contextmanager
def service(
    trained: Path, root: Path, before: Sequence[str] = (), **settings: str
) -> Iterator[Service]:
    """Started and ready; `before` is put before its command, settings are FOURCYCLE_*."""
    port = free_port()
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{trained}/mlflow.db",
        "FOURCYCLE_SERVE_DRAIN_S": "0.2",
        "FOURCYCLE_LOG_SEGMENT_S": "0.3",
        "FOURCYCLE_SHIP_EVERY_S": "0.3",
        **{f"FOURCYCLE_{name.upper()}": value for name, value in settings.items()},
    }
    command = [*before, sys.executable, "-m", "serving", "--use-case", "penguins"]
    command += ["--root", str(root), "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    found = Service(process, f"http://127.0.0.1:{port}", root)
    try:
        _wait_until_ready(found)
        yield found
    finally:
        if process.poll() is None:
            found.stop()


def _wait_until_ready(found: Service) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{found.address}/ping", timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise AssertionError("the service was not ready in time")


@dataclass
class Load:
    """Clients that ask all the time, and remember each prediction id of an answer."""

    address: str
    told: list[str] = field(default_factory=list)
    not_logged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    cut: int = 0  # connections that ended before the answer
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, client: httpx.Client, n_rows: int = 1) -> None:
        """One request."""
        try:
            answer = client.post("/predict", json={"rows": [ROW] * n_rows})
        except httpx.TransportError:
            self.cut += 1
            time.sleep(0.02)
            return
        self.statuses[answer.status_code] += 1
        if answer.status_code == httpx.codes.OK:
            ids = [row["prediction_id"] for row in answer.json()["predictions"]]
            logged = answer.headers.get("X-Logged") != "false"
            (self.told if logged else self.not_logged).extend(ids)

    def _ask_on(self, number: int) -> None:
        with httpx.Client(base_url=self.address, timeout=20) as client:
            while not self.stop.is_set():
                self.ask(client, 1 + number % 3)


@contextmanager
def load(address: str, n_clients: int = 4) -> Iterator[Load]:
    """Clients at work until the end of the block."""
    found = Load(address)
    clients = [threading.Thread(target=found._ask_on, args=(n,)) for n in range(n_clients)]
    for client in clients:
        client.start()
    try:
        yield found
    finally:
        found.stop.set()
        for client in clients:
            client.join()


def logged_ids(tables: Tables) -> list[str]:
    """Every prediction id of the table."""
    found: list[str] = (
        tables.read("predictions", columns=["prediction_id"]).column("prediction_id").to_pylist()
    )
    return found


def assert_exactly_once(told: Sequence[str], tables: Tables) -> None:
    """Whoever was told an answer finds it once; an answer that never arrived may be there too."""
    counts = Counter(logged_ids(tables))
    assert told
    assert [i for i in told if counts[i] != 1] == []
    assert [i for i, n in counts.items() if n > 1] == []
