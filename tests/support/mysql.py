"""A real server that speaks MySQL (MariaDB, Debian's mariadb-server-core)."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from pipelines.replaying.service_process import free_port


def installed() -> bool:
    """Whether this machine has the server."""
    return shutil.which("mariadbd") is not None


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Address of a server with an empty database, until the end."""
    (folder / "data").mkdir()
    # Without its own tables of users: the server needs no installation, and nobody has a password.
    options = [
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        "--user=root",
        "--skip-grant-tables",
    ]
    port = free_port()
    place = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 's'}"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(["mariadbd", *options, *place], stdout=log, stderr=log)
    try:
        server = f"mysql+pymysql://root@127.0.0.1:{port}"
        _make_database(server)
        yield f"{server}/shop"
    finally:
        process.terminate()
        process.wait(30)


def _make_database(server: str) -> None:
    problem: Exception | None = None
    for _ in range(100):
        try:
            with create_engine(server, poolclass=NullPool).begin() as connection:
                connection.execute(text("create database shop character set utf8mb4"))
        except OperationalError as error:
            problem = error
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the server did not become ready: {problem}")
