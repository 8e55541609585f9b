"""How uvicorn runs the gateway, in a worker as in a test."""

from typing import Any

import uvicorn

from serving.http.connection import Connection
from serving.http.gateway import Gateway

KEEP_ALIVE_S = 75  # longer than a front's, which would otherwise write into a closed connection


def configured(gateway: Gateway, **more: Any) -> uvicorn.Config:
    """uvicorn's configuration; `more` are options of its own."""
    return uvicorn.Config(
        gateway,
        http=Connection,
        ws="none",  # a socket that is asked for would be held, and counted by nobody
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # nobody asks where a request came from
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        **more,
    )
