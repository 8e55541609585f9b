"""The service as real processes, and clients that keep asking it and remember every answer."""

import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from contract.settings import Settings
from contract.store.tables import Tables
from pipelines.replaying.service_process import free_port
from pipelines.runtime.code_hash import PROJECT
from serving.scoring.cache import Announcement, Cache

PATIENCE_S = 300  # a quiet machine needs two seconds; a store that was away, up to a minute
# Reading the machine's certificates for each question, of a service without TLS, takes 20 ms.
ASKING: dict[str, Any] = {"timeout": 5, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}


@dataclass(frozen=True)
class Service:
    """`python -m serving`, its address and its folders."""

    process: "subprocess.Popen[bytes]"
    address: str
    cache: Cache
    tables: Tables
    spool: Path
    said: Path

    def known(self) -> Announcement:
        """What the follower says."""
        return self.cache.read() or Announcement("nothing yet")

    def ready(self) -> bool:
        """Whether requests should be sent here."""
        try:
            return httpx.get(f"{self.address}/ping", **ASKING).status_code == 200
        except httpx.TransportError:
            return False

    def all_ready(self) -> bool:
        """Whether each of its workers answers, not only the one that is asked."""
        try:
            return httpx.get(f"{self.address}/ready", **ASKING).status_code == 200
        except httpx.TransportError:
            return False

    def version(self) -> str | None:
        """The version that answers."""
        try:
            answer = httpx.get(f"{self.address}/ping", **ASKING)
        except httpx.TransportError:
            return None
        return str(answer.headers.get("X-Model-Version"))

    def parts(self, module: str) -> list[psutil.Process]:
        """Living processes of the service that run a module."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if module in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
        return found

    def stop(self) -> int:
        """Ask it to stop, as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def running(
    use_case: str | Path, uri: str, folder: Path, before: Sequence[str] = (), **settings: str
) -> Iterator[Service]:
    """The service of a use case over a registry; its cache and tables are in the folder.

    `before` is put before its command, settings are FOURCYCLE_*.
    """
    name, port = Path(use_case).stem, free_port()
    folders = {"root": str(folder / "data"), "serve_cache": str(folder / "cache")}
    settings = folders | {"serve_poll_s": "0.2", "serve_drain_s": "0.2"} | settings
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "MLFLOW_TRACKING_URI": uri}
    environment |= {f"FOURCYCLE_{key.upper()}": value for key, value in settings.items()}
    command = [*before, sys.executable, "-m", "serving", "--use-case", str(use_case)]
    said = folder / "said.log"
    with said.open("ab") as lines:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stderr=lines, cwd=folder
        )
    service = Service(
        process,
        f"http://127.0.0.1:{port}",
        Cache(Path(settings["serve_cache"]) / name),
        Tables(settings["root"], name),
        Settings.model_validate(
            {"root": settings["root"], "log_spool": settings.get("log_spool", "")}
        ).spool_folder(name),
        said,
    )
    try:
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def copy_ledger(source: Path, root: Path, use_case: str = "penguins") -> None:
    """Let tables elsewhere say who is champion, too: a service follows their ledger."""
    if not (root / use_case / "ledger").exists():
        shutil.copytree(source / use_case / "ledger", root / use_case / "ledger")


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
    status: int  # 0: the connection ended before the answer
    version: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    logged: bool = True
    goodbye: bool = False  # the service ends the connection with this answer
    error: str = ""

    @property
    def ids(self) -> list[str]:
        """Prediction ids that the client was told."""
        return [row["prediction_id"] for row in self.body.get("predictions", [])]


@dataclass
class Load:
    """Clients that ask over and over, each on a connection of its own, with one body."""

    address: str
    body: dict[str, Any]
    asked: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def failed(self) -> list[Asked]:
        """Requests without a good answer."""
        return [asked for asked in self.asked if asked.status != 200]

    @property
    def statuses(self) -> Counter[int]:
        """How many answers of each status."""
        return Counter(asked.status for asked in self.asked if asked.status)

    @property
    def told(self) -> list[str]:
        """Prediction ids of answers that must be in the table."""
        return [i for asked in self.asked if asked.logged for i in asked.ids]

    @property
    def not_logged(self) -> list[str]:
        """Prediction ids of answers that said that they are not."""
        return [i for asked in self.asked if not asked.logged for i in asked.ids]

    def ask_on(self, pause_s: float) -> None:
        """Ask until told to stop, or until the service says goodbye."""
        with httpx.Client(base_url=self.address, timeout=PATIENCE_S) as client:
            while not self.stopping.wait(pause_s):
                if self.ask(client).goodbye:
                    return

    def ask(self, client: httpx.Client) -> Asked:
        """One request to /predict."""
        asked = self._ask(client)
        self.asked.append(asked)
        return asked

    def _ask(self, client: httpx.Client) -> Asked:
        began = time.monotonic()
        try:
            answer = client.post("/predict", json=self.body)
        except httpx.TransportError as error:
            return Asked(began, time.monotonic(), 0, error=repr(error))
        return Asked(
            began,
            time.monotonic(),
            answer.status_code,
            answer.headers.get("X-Model-Version"),
            _document(answer),
            answer.headers.get("X-Logged") != "false",
            answer.headers.get("Connection") == "close",
        )


def _document(answer: httpx.Response) -> dict[str, Any]:
    """What an answer says, nothing where it is a page: of a front, say, that meets nobody."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return {}
    body: dict[str, Any] = answer.json()
    return body


@contextmanager
def load(
    address: str, body: dict[str, Any], clients: int = 4, pause_s: float = 0.01
) -> Iterator[Load]:
    """So many clients at work while the block runs."""
    asking = Load(address, body)
    threads = [threading.Thread(target=asking.ask_on, args=(pause_s,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        asking.stopping.set()
        for thread in threads:
            thread.join()
