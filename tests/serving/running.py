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
from serving.access_log import AccessLog
from serving.app import Service, create_app
from serving.cache import Announcement, Cache, Fetched
from serving.current import Current
from serving.keys import open_keys
from serving.log import open_feedback_log, open_log
from serving.metrics import Metrics
from serving.model import load_version
from serving.one_write import OneWrite

VERSION = "3"


def current_of(package: Path, folder: Path, log_secret: str = "") -> Current:
    """A worker's view of a cache that holds the package as the champion."""
    cache, now = Cache(folder / "cache"), datetime.now(UTC)
    digest = load_version(package, "penguins", VERSION).digest
    shutil.copytree(package, cache.version_folder(digest))
    champion = Fetched(VERSION, digest, now)
    cache.announce(Announcement("penguins", champion, reachable=True, polled=now))
    current = Current(cache, "penguins", 60, log_secret=log_secret)
    current.refresh()
    return current


def settings_in(folder: Path, **changes: object) -> Settings:
    """Settings by which the spool is in the folder."""
    return Settings().model_copy(update={"log_spool": str(folder / "spool"), **changes})


def spool_in(folder: Path) -> Path:
    """Where the application leaves answers then."""
    return settings_in(folder).spool_folder("penguins")


def app_of(
    current: Current, folder: Path, lines: StringIO | None = None, **changes: object
) -> Service:
    """The application with its spool in the folder; `changes` are settings."""
    settings = settings_in(folder, **changes)
    return create_app(
        current,
        open_log(settings, "penguins"),
        open_feedback_log(settings, "penguins"),
        settings,
        "3.17.2",
        metrics=Metrics(),
        keys=open_keys(settings),
        access_log=AccessLog(lines),
    )


@contextmanager
def running(app: Service) -> Iterator[str]:
    """Its address, while it runs."""
    server = uvicorn.Server(
        uvicorn.Config(app, http=OneWrite, log_level="warning", access_log=False)
    )
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
