"""The application over real HTTP, in a thread of the test's process, with a package to serve."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import uvicorn

from contract.settings import Settings
from serving.endpoints.context import WorkerContext
from serving.http.app import create_app
from serving.http.gateway import Gateway
from serving.http.server import configured
from serving.log.log import open_feedback_log, open_log
from serving.requests.api_keys import open_keys
from serving.scoring.cache import Announcement, Cache, FetchedVersion
from serving.scoring.champion import CurrentVersion
from serving.scoring.version import load_version
from serving.telemetry.access_log import AccessLog
from serving.telemetry.board import Board
from serving.telemetry.metrics import Metrics

VERSION = "3"


def current_of(package: Path, folder: Path, log_secret: str = "") -> CurrentVersion:
    """A worker's view of a cache that holds the package as the champion."""
    cache, now = Cache(folder / "cache"), datetime.now(UTC)
    digest = load_version(package, "penguins", VERSION).digest
    shutil.copytree(package, cache.version_folder(digest))
    champion = FetchedVersion(VERSION, digest, now)
    cache.announce(Announcement("penguins", champion, reachable=True, polled=now))
    current = CurrentVersion(cache, "penguins", 60, log_secret=log_secret)
    current.refresh()
    return current


def settings_in(folder: Path, **changes: object) -> Settings:
    """Settings by which the spool is in the folder."""
    return Settings().model_copy(update={"log_spool": str(folder / "spool"), **changes})


def spool_in(folder: Path) -> Path:
    """Where the application leaves answers then."""
    return settings_in(folder).spool_folder("penguins")


def app_of(
    current: CurrentVersion, folder: Path, lines: StringIO | None = None, **changes: object
) -> Gateway:
    """The application with its spool in the folder; `changes` are settings."""
    return create_app(context_of(current, folder, lines, **changes))


def context_of(
    current: CurrentVersion, folder: Path, lines: StringIO | None = None, **changes: object
) -> WorkerContext:
    """What such an application is made of."""
    settings = settings_in(folder, **changes)
    return WorkerContext(
        current=current,
        log=open_log(settings, "penguins"),
        feedback_log=open_feedback_log(settings, "penguins"),
        settings=settings,
        mlflow_version="3.17.2",
        metrics=Metrics(),
        keys=open_keys(settings, "penguins"),
        access_log=AccessLog(lines),
        board=Board(None, 1),
    )


@contextmanager
def running(app: Gateway) -> Iterator[str]:
    """Its address, while it runs."""
    server = uvicorn.Server(configured(app))
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
