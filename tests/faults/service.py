"""The service as real processes, and clients that keep asking it and remember every answer."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from pipelines.closure import PROJECT
from pipelines.replay import free_port
from serving.cache import Announcement, Cache

PATIENCE_S = 60  # for what a quiet machine does in two seconds


@dataclass(frozen=True)
class Service:
    """`python -m serving`, its address and its cache."""

    process: "subprocess.Popen[bytes]"
    address: str
    cache: Cache
    said: Path

    def known(self) -> Announcement:
        """What the follower says."""
        return self.cache.read() or Announcement("nothing yet")

    def ready(self) -> bool:
        """Whether requests should be sent here."""
        try:
            return httpx.get(f"{self.address}/ping", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def version(self) -> str | None:
        """The version that answers."""
        try:
            answer = httpx.get(f"{self.address}/ping", timeout=5)
        except httpx.TransportError:
            return None
        return str(answer.headers.get("X-Model-Version"))

    def children(self, module: str) -> list[psutil.Process]:
        """Processes of the service that run a module."""
        found = psutil.Process(self.process.pid).children()
        return [process for process in found if module in process.cmdline()]

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def running(use_case: Path, uri: str, folder: Path, **settings: str) -> Iterator[Service]:
    """The service of a use case over a registry; its cache and tables are in the folder."""
    port = free_port()
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "MLFLOW_TRACKING_URI": uri,
        "FOURCYCLE_ROOT": str(folder / "data"),
        "FOURCYCLE_SERVE_CACHE": str(folder / "cache"),
        "FOURCYCLE_SERVE_POLL_S": "0.2",
        **{f"FOURCYCLE_SERVE_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "serving", "--use-case", str(use_case), "--port", str(port)]
    said = folder / "said.log"
    with said.open("ab") as lines:
        process = subprocess.Popen(command, env=environment, stderr=lines, cwd=folder)
    service = Service(
        process, f"http://127.0.0.1:{port}", Cache(folder / "cache" / use_case.stem), said
    )
    try:
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def until(holds: Callable[..., object], *arguments: object) -> None:
    """Wait until something holds; fail when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds(*arguments):
        assert time.monotonic() < deadline, f"still not so after {PATIENCE_S} s"
        time.sleep(0.05)


@dataclass(frozen=True)
class Asked:
    """One request of a client, and what came of it."""

    began: float  # time.monotonic(), seconds
    ended: float
    status: int  # 0: no answer
    version: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    goodbye: bool = False  # the service ends the connection with this answer
    error: str = ""


@dataclass
class Load:
    """Clients that ask over and over, each on a connection of its own, with one body."""

    address: str
    body: dict[str, Any]
    asked: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def failed(self) -> list[Asked]:
        """Requests without a good answer."""
        return [asked for asked in self.asked if asked.status != 200]

    def client(self, pause_s: float) -> None:
        """Ask until told to stop, or until the service says goodbye."""
        with httpx.Client(base_url=self.address, timeout=PATIENCE_S) as client:
            while not self.stopping.wait(pause_s):
                asked = self.ask(client)
                self.asked.append(asked)
                if asked.goodbye:
                    return

    def ask(self, client: httpx.Client) -> Asked:
        """One request to /predict."""
        began = time.monotonic()
        try:
            answer = client.post("/predict", json=self.body)
        except httpx.TransportError as error:
            return Asked(began, time.monotonic(), 0, error=repr(error))
        version = answer.headers.get("X-Model-Version")
        goodbye = answer.headers.get("Connection") == "close"
        now = time.monotonic()
        return Asked(began, now, answer.status_code, version, answer.json(), goodbye)


@contextmanager
def load(
    address: str, body: dict[str, Any], clients: int = 4, pause_s: float = 0.01
) -> Iterator[Load]:
    """So many clients at work while the block runs."""
    asking = Load(address, body)
    threads = [threading.Thread(target=asking.client, args=(pause_s,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        asking.stopping.set()
        for thread in threads:
            thread.join()
