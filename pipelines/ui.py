"""Ui: MLflow's user interface on this store, and the address at which it opens as it should."""

import signal
import socket
from typing import Annotated

import typer

from contract.addresses import SERVERS, scheme_of
from contract.errors import BadInput, Refused
from contract.settings import UI_PORT, read_settings
from pipelines.runtime import cli
from pipelines.runtime.console import console, working
from pipelines.runtime.ui_process import (
    FIRST_PAGE,
    HOST,
    interface,
    remembered,
    wait_until_ready,
)

MAX_PORT = 65_535

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


if __name__ == "__main__":
    cli.run(main)
