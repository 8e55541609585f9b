"""A worker: one process that answers requests from a socket that it shares with the others.

The supervisor (`python -m serving`) starts it. It ends after a drain when it is told to, and at
once when its supervisor is gone.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # till it serves: nothing that is imported is garbage, and looking takes a tenth

import asyncio
import contextlib
import os
import socket
from importlib.metadata import version
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from contract.command import run
from contract.settings import Settings, read_settings
from serving.endpoints.answering import collect_rarely
from serving.endpoints.context import WorkerContext
from serving.http.app import create_app
from serving.http.connection import Connection
from serving.http.server import configured
from serving.log.log import open_feedback_log, open_log
from serving.requests.api_keys import open_keys
from serving.scoring.cache import Cache
from serving.scoring.champion import CurrentVersion
from serving.telemetry.access_log import open_access_log
from serving.telemetry.board import open_board
from serving.telemetry.metrics import Metrics

LAST_WORD_S = 0.3  # for a request of who connected just before the end
FINISH_S = 20  # for requests that are still being answered after the drain


class Server(uvicorn.Server):
    """uvicorn that shows not-ready for a while before it stops taking connections."""

    last_word_s = LAST_WORD_S

    def __init__(self, config: uvicorn.Config, current: CurrentVersion, drain_s: float) -> None:
        super().__init__(config)
        self.current, self._drain_s = current, drain_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain: not ready from now on, and stop a little later."""
        self.current.drain()
        # Each connection ends with its next answer, so none is cut between two requests.
        self.config.encoded_headers.append((b"connection", b"close"))
        self.server_state.default_headers.append((b"connection", b"close"))
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._drain_s, self.stop)

    def stop(self) -> None:
        """Finish what was begun, take nothing new."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the address, let those speak who have just connected, and end."""
        await self._take_last(sockets or [])
        if self.server_state.connections:
            await asyncio.sleep(self.last_word_s)
        await super().shutdown(sockets)

    async def _take_last(self, listeners: list[socket.socket]) -> None:
        """Take in who waits at the listeners, and close them.

        Who comes in the instant between may still be cut off.
        """
        waiting = []
        for listener in listeners:
            listener.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        for caller in waiting:
            caller.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, caller)

    def _connection(self) -> asyncio.Protocol:
        return Connection(self.config, self.server_state, self.lifespan.state)


async def open_server(name: str, settings: Settings) -> Server:
    """A worker's server, put together and not yet started."""
    current = CurrentVersion(
        Cache(settings.cache_root / name),
        name,
        settings.serve_poll_s,
        log_secret=settings.log_secret.get_secret_value(),
        code=settings.code_folder,
    )
    current.refresh()
    log = open_log(settings, name)
    await log.start()
    collect_rarely()
    context = WorkerContext(
        current=current,
        log=log,
        feedback_log=open_feedback_log(settings, name),
        settings=settings,
        mlflow_version=version("mlflow-skinny"),  # of the client, which is all of it here
        metrics=Metrics(),
        keys=open_keys(settings, name),
        access_log=open_access_log(settings),
        board=open_board(settings),
    )
    config = configured(create_app(context), timeout_graceful_shutdown=FINISH_S)
    return Server(config, current, settings.serve_drain_s)


async def work(name: str, settings: Settings, listener: socket.socket, parent: int) -> None:
    """Answer requests until a signal comes or the parent process is gone."""
    server = await open_server(name, settings)
    tasks = [
        asyncio.create_task(server.current.watch(), name="watch"),
        asyncio.create_task(_outlive_nobody(server, parent), name="parent"),
    ]
    await server.serve([listener])
    for task in tasks:
        task.cancel()


async def _outlive_nobody(server: Server, parent: int) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    server.stop()


def main(
    name: Annotated[str, typer.Option(help="Registered model.")],
    fd: Annotated[int, typer.Option(help="The listening socket.")],
    parent: Annotated[int, typer.Option(help="Process id of the supervisor.")],
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
) -> None:
    """Answer requests."""
    import uvloop

    uvloop.run(work(name, read_settings(root), socket.socket(fileno=fd), parent))


if __name__ == "__main__":
    run(main)
