"""Ui: MLflow's user interface on this store, and the address at which it opens as it should."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import httpx
import typer

from contract.addresses import SERVERS, scheme_of
from contract.errors import BadInput, Refused, Unavailable
from contract.settings import UI_PORT, Settings, read_settings
from pipelines.runtime import cli
from pipelines.runtime.console import console, working

HOST = "127.0.0.1"
MAX_PORT = 65_535
READY_S = 180
STOP_S = 10
# For one person: MLflow's job runners are for language models; with them and four workers it was
# 15 processes and 1.9 GiB instead of 2 and 0.5.
OPTIONS = ("--workers", "1", "--uvicorn-opts", "--log-level warning")
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
# Without the type, MLflow opens in its view for language models; and so it does when somebody goes
# on from its list of experiments. From a model's page all our links lead to the right view.
FIRST_PAGE = "/#/models?workflowType=machine_learning"

PortOption = Annotated[str, typer.Option(help=f"Port on {HOST}; empty: {UI_PORT}.")]


def main(root: cli.RootOption = "", port: PortOption = "") -> None:
    """Ui: open MLflow's user interface on this store, on 127.0.0.1."""
    settings, number = read_settings(root), read_port(port)
    if scheme_of(settings.store_uri) in SERVERS:
        print(settings.ui_address + FIRST_PAGE)
        return  # the tracking server is its own interface
    check_free(number)
    # Ctrl-C and a polite kill both end what was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    address = f"http://{HOST}:{number}"
    try:
        with interface(settings, number) as process, remembered(settings, address):
            with working("starting MLflow's user interface"):
                wait_until_ready(process, address)
            print(address + FIRST_PAGE, flush=True)
            console().print("Ctrl-C ends it.")
            process.wait()
    except KeyboardInterrupt:
        console().print("The user interface has ended.")
        return
    raise Refused(f"MLflow's user interface ended by itself, with exit code {process.returncode}.")


def read_port(text: str) -> int:
    """A port as asked for; BadInput where it is none."""
    if not text:
        return UI_PORT
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise BadInput(f"port: a number from 1 to {MAX_PORT} is needed, found {text!r}.")
    return int(text)


def check_free(port: int) -> None:
    """BadInput where the port can't be had: MLflow would say so after half a minute, in a trace."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BadInput(
                f"http://{HOST}:{port} can't be served, the port is busy or not allowed "
                f"({error.strerror}); --port names another (make ui PORT={port + 1})."
            ) from error


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


if __name__ == "__main__":
    cli.run(main)
