"""How a worker takes leave: who connected before its address is closed is still answered."""

import socket
from pathlib import Path

import pytest
import uvloop

from serving.http.server import configured
from serving.worker import Server
from tests.serving.http.test_rules_of_http import post
from tests.support.running import app_of, current_of


async def last_answer(package: Path, home: Path) -> bytes:
    """What a caller reads whom the kernel let in, and no loop before the end began."""
    current = current_of(package, home)
    config = configured(app_of(current, home))
    config.load()
    server = Server(config, current, drain_s=0)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        await server.startup([listener])
        with socket.create_connection(address, timeout=10) as caller:
            caller.sendall(post("Connection: keep-alive"))  # in this turn nobody takes it in
            await server.shutdown([listener])
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
            return caller.makefile("rb").read()


def test_who_waits_to_be_taken_in_is_answered_before_the_end(package: Path, home: Path) -> None:
    said = uvloop.run(last_answer(package, home))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.count(b"HTTP/1.1") == 1
