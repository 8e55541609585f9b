"""Serve: answer HTTP predictions with the version in Production, and follow promotions.

This process is the supervisor: it takes the address, starts the follower and the workers, starts
again what dies, and stops all in order.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # until it serves: nothing that is imported is garbage

import asyncio
import os
import shutil
import socket
from pathlib import Path
from typing import Annotated

import typer

from contract.command import run
from contract.errors import BadInput
from contract.hints import typed
from contract.processes import GIVE_WAY, GIVE_WAY_AT_ONCE
from contract.settings import CODE_FOLDER, Settings, read_settings
from contract.use_case.loader import load_use_case
from serving.scoring.cache import Cache
from serving.supervisor import Child, supervise

MAX_PORT = 65_535
SHIP_LAST_S = 20  # what is not shipped by then stays in the spool
FINISH_S = 30  # a worker gets so long for its last answers, after the drain


def main(
    use_case: Annotated[str, typer.Option(help="Shipped use case or path.")] = "flights",
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    port: Annotated[str, typer.Option(help="Port; empty: FOURCYCLE_SERVE_PORT or 8080.")] = "",
) -> None:
    """Serve: answer over HTTP with the champion, on 127.0.0.1."""
    gc.enable()
    settings = read_settings(root)
    if port:
        if not port.isdecimal() or int(port) > MAX_PORT:
            raise BadInput(f"port: a number up to {MAX_PORT} is needed, found {port!r}.")
        settings = settings.model_copy(update={"serve_port": int(port)})
    declared = load_use_case(use_case)
    name = declared.name
    # The processes below know the model's name alone.
    os.environ[CODE_FOLDER] = str(settings.code_folder or declared.source.folder)
    with bind(settings.serve_host, settings.serve_port) as listener:
        asyncio.run(serve(name, settings, listener, use_case))


async def serve(name: str, settings: Settings, listener: socket.socket, called: str) -> None:
    """Run until a signal says stop. People called the use case so: by its name or its file."""
    # A second service on this host counts in a folder of its own.
    counts = settings.cache_root / name / f"metrics-{listener.getsockname()[1]}"
    _share_metrics(counts, settings.serve_workers)
    cache = Cache(settings.cache_root / name)
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(_announce(name, cache, listener, called)),
        asyncio.create_task(_close(listener, stop)),
    ]
    others = [follower(name, settings, cache.knows_a_champion()), shipper(name, settings)]
    try:
        await supervise(workers(name, settings, listener), others, stop)
    finally:
        for task in tasks:
            task.cancel()
        shutil.rmtree(counts, ignore_errors=True)


def _share_metrics(folder: Path, n_workers: int) -> None:
    """Let several workers count in files of one folder, which begins anew with the service."""
    if n_workers > 1:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


async def _close(listener: socket.socket, stop: asyncio.Event) -> None:
    """Let go of the address at the end: with the last worker's copy, callers are refused."""
    await stop.wait()
    listener.close()


def workers(name: str, settings: Settings, listener: socket.socket) -> list[Child]:
    """The processes that answer; they share the listening socket."""
    fd = listener.fileno()
    arguments = ("-m", "serving.worker", *_options(name, settings), "--fd", str(fd))
    patience_s = settings.serve_drain_s + FINISH_S
    count = range(1, settings.serve_workers + 1)
    return [Child(f"worker {number}", arguments, (fd,), patience_s) for number in count]


def follower(name: str, settings: Settings, knows_a_version: bool) -> Child:
    """The process that watches the registry; it gives way where there is a version already."""
    arguments = ("-m", "serving.follow", *_options(name, settings))
    return Child("follower", arguments, nice=GIVE_WAY if knows_a_version else 0)


def shipper(name: str, settings: Settings) -> Child:
    """The process that moves answers into the table; it ships the last ones after the workers."""
    arguments = ("-m", "serving.shipper", *_options(name, settings))
    last = (*arguments, "--drain", "yes")
    return Child("shipper", arguments, patience_s=SHIP_LAST_S, nice=GIVE_WAY_AT_ONCE, last=last)


def _options(name: str, settings: Settings) -> tuple[str, ...]:
    return ("--name", name, "--root", settings.root, "--parent", str(os.getpid()))


async def _announce(name: str, cache: Cache, listener: socket.socket, called: str) -> None:
    """One line for people, once a worker listens and the follower has announced a version."""
    announcement = None
    while not (announcement and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
        await asyncio.sleep(0.05)
        announcement = cache.told()
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    champion = announcement.champion
    version = f"version {champion.version}" if champion else "not promoted yet"
    trouble = f" ({announcement.trouble})" if announcement.trouble else ""
    typer.echo(f"{name}, {version} on {address}{trouble}", err=True)
    if champion or trouble:
        typer.echo(f"  a page with a form: {address}/ · for programs: {address}/docs", err=True)
    else:
        typer.echo(
            f"  this makes a version, and it is served then: {typed('main', called)}", err=True
        )


def bind(host: str, port: int) -> socket.socket:
    """Take the address before anything slow happens; it refuses callers until a worker listens."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # of a name that no host can have
        reason = error.strerror if isinstance(error, OSError) else "no host has such a name"
        raise BadInput(f"{host} is no address of this machine: {reason}.") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise BadInput(
            f"http://{host}:{port} can't be served, the port is busy or not allowed "
            f"({error.strerror}); --port names another."
        ) from error
    return listener


if __name__ == "__main__":
    # More threads than one fight each other under load: 16.6 ms for 1.9 ms.
    run(main, {"OMP_NUM_THREADS": "1"})
