"""Addresses that do not answer, or name nothing: a line at once, a deadline, an exit code."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from contract.addresses import without_password
from contract.errors import BadInput, Unavailable
from contract.settings import Settings, read_settings
from pipelines.replaying.service_process import free_port
from tests.support.project import PROJECT
from tracking.database import await_database
from tracking.server import RETRIES, retries_within
from tracking.store import connect, look

WAIT_S = 0.6
UNUSABLE = {
    "htp://127.0.0.1:5000": "begins with 'htp'; did you mean 'http'?",
    "postgres://db/mlflow": "begins with 'postgres'; did you mean 'postgresql'?",
    "sqlite:/x": "names no file; three slashes and a file are needed",
    "sqlite://mlflow.db": "names no file; three slashes and a file are needed",
    "sqlite:///": "names no file; three slashes and a file are needed",
    "http:/127.0.0.1:5000": "names no host, or a port that is no number",
    "http://127.0.0.1:port": "names no host, or a port that is no number",
    "mlruns": "is no address; runs are kept in a database or by a server",
    "ftp://me:secret@host/x": "'ftp://me:***@host/x' begins with 'ftp'; ",
}


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a socket that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def settings_of(uri: str, wait_s: float = WAIT_S) -> Settings:
    return read_settings().model_copy(update={"tracking_uri": uri, "store_wait_s": wait_s})


@pytest.mark.parametrize("address", UNUSABLE)
def test_an_address_that_names_no_store_is_one_line(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(BadInput) as refused:
        read_settings()
    said = str(refused.value)
    assert UNUSABLE[address] in said
    assert said.startswith("MLFLOW_TRACKING_URI: ")
    assert "\n" not in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///mlflow.db",
        "sqlite:////srv/a%20b/mlflow.db",
        "postgresql+psycopg2://me@/mlflow?host=/run",
        "mysql+pymysql://me:secret@db:3306/mlflow",
        "https://mlflow.example.org/path",
        "http://[::1]:5000",
    ],
)
def test_an_address_of_a_store_is_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert read_settings().tracking_uri == address


@pytest.mark.parametrize(
    "address", ["postgresql+nothing://me:secret@h/x", "mysql://me:secret@h:p/x"]
)
def test_an_address_that_no_driver_opens_is_one_line(address: str) -> None:
    with pytest.raises(BadInput, match=r"URI: .*:\*\*\*@h.* can't be opened") as said:
        await_database(address, WAIT_S)
    assert "secret" not in str(said.value)


@pytest.mark.parametrize("kind", ["http", "postgresql"])
def test_a_closed_port_is_told_and_waited_for_as_long_as_was_said(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", str(WAIT_S))
    uri = f"{kind}://me:secret@127.0.0.1:{free_port()}/x"
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"was away for 0\.6 s"):
        connect(settings_of(uri))
    assert WAIT_S <= time.monotonic() - started < WAIT_S + 5
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not answer; waiting for it up to 0.6 s (FOURCYCLE_STORE_WAIT_S)" in line
    assert "secret" not in line


@pytest.mark.parametrize("kind", ["http", "postgresql"])
def test_a_port_that_stays_silent_is_told_after_two_seconds(
    kind: str, silent: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", "2.2")
    started = time.monotonic()
    with pytest.raises(Unavailable):
        connect(settings_of(f"{kind}://127.0.0.1:{silent}/x", wait_s=2.2))
    assert time.monotonic() - started < 10
    assert capsys.readouterr().err.count("does not answer; waiting") == 1


@pytest.mark.parametrize("kind", ["http", "postgresql"])
def test_a_look_does_not_wait(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        look(settings_of(f"{kind}://127.0.0.1:{free_port()}/x", wait_s=60))
    assert time.monotonic() - started < 10
    assert capsys.readouterr().err == ""


def test_another_database_than_the_store_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", str(WAIT_S))
    with pytest.raises(Unavailable):
        await_database(f"postgresql://me@127.0.0.1:{free_port()}/mlflow", WAIT_S)
    monkeypatch.delenv("FOURCYCLE_STORE_WAIT_S")
    began = time.monotonic()
    engine = create_engine(f"postgresql://me@127.0.0.1:{free_port()}/shop")  # a source, say
    with pytest.raises(OperationalError):
        engine.connect()
    assert time.monotonic() - began < read_settings().store_wait_s / 4


def test_a_database_that_says_no_is_not_waited_for(
    postgresql: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", "60")
    started = time.monotonic()
    with pytest.raises(BadInput, match=r'says no: .*database "nowhere" does not exist'):
        connect(settings_of(postgresql.replace("/postgres?", "/nowhere?"), wait_s=60))
    assert time.monotonic() - started < 20
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("wait_s", "retries"), [(0, 1), (4, 2), (60, 5), (3600, 9)])
def test_a_request_is_tried_again_for_about_as_long(wait_s: float, retries: int) -> None:
    assert retries_within(wait_s) == retries


def test_a_command_ends_with_three_and_two_lines() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    given = {"MLFLOW_TRACKING_URI": address, "FOURCYCLE_STORE_WAIT_S": "1", RETRIES: "2"}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.history", "--use-case", "penguins"],
        env=os.environ | given | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"  … {address} does not answer; waiting for it up to 1 s (FOURCYCLE_STORE_WAIT_S)",
        f"{address} was away for 1 s; try again later, or set MLFLOW_TRACKING_URI to where MLflow "
        "is.",
    ]


def test_a_password_is_never_shown() -> None:
    assert without_password("http://me:a:b@c@host:1/x") == "http://me:***@host:1/x"
    assert without_password("http://host/a:b@c") == "http://host/a:b@c"
