"""Real receivers on loopback: HTTP that answers as told, and mail."""

import base64
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
RESET = 0  # in place of a status: the connection is reset


@dataclass
class Delivered:
    """One request as it arrived, and what was answered."""

    headers: dict[str, str]
    body: bytes
    status: int


@dataclass
class Receiver:
    """Answers the `script` first, then 200 to everything."""

    script: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of answers that are not 200
    got: list[Delivered] = field(default_factory=list)
    url: str = ""
    before: Callable[[], object] = lambda: None  # called before each answer

    @property
    def accepted(self) -> list[Delivered]:
        return [d for d in self.got if d.status == 200]


@contextmanager
def listening(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver at an address of its own, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.script.pop(0) if receiver.script else 200
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Delivered(headers, body, status))
            receiver.before()
            if status == RESET:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(status)
            for name, value in receiver.headers.items() if status != 200 else ():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/alerts/T0KEN"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
