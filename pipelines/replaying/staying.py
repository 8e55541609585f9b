"""MLflow's pages and the service, kept running for who wants to look around, until told to stop."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from contract.addresses import SERVERS, scheme_of
from contract.errors import Refused
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

LOOK_S = 1.0


def keep_running(use_case: str, root: str, settings: Settings) -> None:
    """Start both on their usual ports, or on free ones, and wait for Ctrl-C or SIGTERM.

    Refused where one of them ends by itself; the other is stopped, too.
    """
    told = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        port = _port(settings.serve_port)
        console().print("  … starting the service", markup=False)
        with service(use_case, root, port) as address, _pages(settings) as (pages, own):
            console().print(f"  {pages}   runs, models and reports", markup=False)
            console().print(f"  {address}   the service; Ctrl-C stops both", markup=False)
            started = {"The service": port} | ({"MLflow's user interface": own} if own else {})
            while not told.wait(LOOK_S):
                _check_listening(started)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_listening(ports: Mapping[str, int]) -> None:
    for name, port in ports.items():
        if is_free(port):
            raise Refused(f"{name} at port {port} has ended by itself; what else ran is stopped.")


@contextmanager
def _pages(settings: Settings) -> Iterator[tuple[str, int]]:
    """The address of MLflow's first page once it answers, and its port where it is a process of
    its own; 0 where it is the server's."""
    if scheme_of(settings.store_uri) in SERVERS:
        yield settings.ui_address + FIRST_PAGE, 0
        return
    port = _port(UI_PORT)
    address = f"http://{HOST}:{port}"
    with interface(settings, port) as process, remembered(settings, address):
        with working("starting MLflow's user interface"):
            wait_until_ready(process, address)
        yield address + FIRST_PAGE, port


def _port(wanted: int) -> int:
    return wanted if wanted and is_free(wanted) else free_port()
