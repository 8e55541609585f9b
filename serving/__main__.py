"""Serve: answer HTTP predictions with the version in Production, and follow promotions."""

import logging
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import BadInput, FourcycleError
from contract.settings import SQLITE, Settings, read_settings
from contract.tables import Tables
from contract.use_case_file import load_use_case

# A service must notice soon that the registry is away; MLflow's defaults take minutes.
CLIENT_LIMITS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "OMP_NUM_THREADS": "1",  # more threads fight each other under load: 16.6 ms for 1.9 ms
}

MAX_PORT = 65_535


def main(
    use_case: Annotated[str, typer.Option(help="Shipped use case or path.")] = "flights",
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    port: Annotated[str, typer.Option(help="Port; empty: FOURCYCLE_SERVE_PORT or 8080.")] = "",
) -> None:
    """Serve the champion over HTTP on 127.0.0.1."""
    settings = read_settings(root)
    if port:
        if not port.isdecimal() or int(port) > MAX_PORT:
            raise BadInput(f"port: a number up to {MAX_PORT} is needed, found {port!r}.")
        settings = settings.model_copy(update={"serve_port": int(port)})
    serve(load_use_case(use_case).name, settings)


def serve(name: str, settings: Settings) -> None:
    """Run until a signal says stop."""
    listener = bind(settings.serve_host, settings.serve_port)
    # Imported here, so that --help and a wrong option answer at once.
    import mlflow
    import uvicorn

    from serving.app import create_app
    from serving.follow import Follower
    from serving.log import PredictionLog

    uri = settings.tracking_uri
    if uri.startswith(SQLITE):
        uri = SQLITE + str(settings.home / Path(uri.removeprefix(SQLITE)).name)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    follower = Follower(mlflow.MlflowClient(uri, uri), name, settings.serve_poll_s)
    follower.start()
    app = create_app(
        follower.current,
        PredictionLog(Tables(settings.table_root, name)),
        settings,
        mlflow.__version__,
    )
    address = f"http://{settings.serve_host}:{listener.getsockname()[1]}"
    served = follower.current()
    what = f"{name} version {served.version}" if served else f"{name}, not promoted yet"
    typer.echo(f"{what} on {address} · try: curl {address}/ping", err=True)
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
    finally:
        follower.stop()
        listener.close()


def bind(host: str, port: int) -> socket.socket:
    """Take the address before anything slow happens; it refuses callers until uvicorn listens."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadInput(f"{host} is no address of this machine: {error.strerror}.") from error
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


def run() -> None:
    """Parse, serve, and turn errors into one sentence and an exit code."""
    os.environ.update({k: v for k, v in CLIENT_LIMITS.items() if k not in os.environ})
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except FourcycleError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    run()
