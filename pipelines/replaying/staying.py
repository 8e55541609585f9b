"""MLflow's pages and the service, kept running for who wants to look around, until told to stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from contract.addresses import SERVERS, scheme_of
from contract.settings import UI_PORT, Settings
from pipelines.replaying.service_process import free_port, is_free, service
from pipelines.runtime.console import console, working
from pipelines.runtime.ui_process import (
    FIRST_PAGE,
    HOST,
    interface,
    remembered,
    wait_until_ready,
)


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
    """The address of MLflow's first page once it answers: a process of its own, or the server."""
    if scheme_of(settings.store_uri) in SERVERS:
        yield settings.ui_address + FIRST_PAGE
        return
    port = _port(UI_PORT)
    address = f"http://{HOST}:{port}"
    with interface(settings, port) as process, remembered(settings, address):
        with working("starting MLflow's user interface"):
            wait_until_ready(process, address)
        yield address + FIRST_PAGE


def _port(wanted: int) -> int:
    return wanted if wanted and is_free(wanted) else free_port()
