"""A real `mlflow server` that keeps the artifacts too, as docker/tracking.Dockerfile starts it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest
from mlflow import MlflowClient

from contract.command import NOTHING
from pipelines.replaying.service_process import free_port

# One worker and no runner of jobs: 2 processes for 15.
LIGHT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


START_S = 300  # a quiet machine needs seven seconds

PASSWORD = "a long enough word of {}"  # of each user
# Nobody has a right on what another has made until an admin gives it. Without the cache each
# request pays for the hash of a password.
AUTH = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = {database}
admin_username = admin
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""


@contextmanager
def signed_in_server(
    folder: Path,
    users: Sequence[str],
    store: str = "",
    known: str = "",
    options: Sequence[str] = (),
) -> Iterator[str]:
    """A server that asks for a password and knows these users.

    Runs are in `store` and users in `known`, two databases; empty: sqlite files in the folder.
    """
    file = folder / "auth.ini"
    database = known or f"sqlite:///{folder}/auth.db"
    filled = AUTH.format(database=database, password=PASSWORD.format("admin"))
    file.write_text(filled.replace("%", "%%"))  # of an ini file, where %( begins a reference
    settings = {"MLFLOW_AUTH_CONFIG_PATH": str(file), "MLFLOW_FLASK_SERVER_SECRET_KEY": "key"}
    options = ["--app-name", "basic-auth", *options]
    store = store or f"sqlite:///{folder}/mlflow.db"
    with tracking_server(store, folder, options, settings) as address:
        for user in users:
            as_admin(address, "2.0/mlflow/users/create", user, password=PASSWORD.format(user))
        yield address


def as_admin(address: str, route: str, user: str, **what: str) -> None:
    """Let the admin do something for a user."""
    httpx.post(
        f"{address}/api/{route}",
        json={"username": user, **what},
        auth=("admin", PASSWORD.format("admin")),
        timeout=START_S,
    ).raise_for_status()


def give_rights(
    address: str, user: str, use_case: str, on_runs: str = "EDIT", on_model: str = "MANAGE"
) -> None:
    """Let a user work with what others have made of a use case, as docs/team.md asks."""
    with pytest.MonkeyPatch.context() as patch:
        sign_in(patch, address, "admin")
        client = MlflowClient(address, address)
        found = client.search_experiments(filter_string=f"name LIKE '{use_case}/%'")
    wanted = [("experiment", str(each.experiment_id), on_runs) for each in found]
    for kind, name, right in [*wanted, ("registered_model", use_case, on_model)]:
        route = "3.0/mlflow/users/permissions/grant"
        as_admin(address, route, user, resource_type=kind, resource_id=name, permission=right)


def sign_in(patch: pytest.MonkeyPatch, address: str, user: str, password_of: str = "") -> None:
    """Be a user of the server, as an environment says it."""
    patch.setenv("MLFLOW_TRACKING_URI", address)
    patch.setenv("MLFLOW_TRACKING_USERNAME", user)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD.format(password_of or user))


@contextmanager
def tracking_server(
    store: str, folder: Path, options: Sequence[str] = (), settings: Mapping[str, str] = NOTHING
) -> Iterator[str]:
    """The address of a server in front of a store, with its artifacts in the folder."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("mlflow")), "server", "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts")]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), *options],  # the last one counts
            cwd=folder,
            env=os.environ | LIGHT | dict(settings),
            stdout=said,
            stderr=said,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _await(process, address, said)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def _await(process: "subprocess.Popen[bytes]", address: str, said: IO[str]) -> None:
    """Until it answers; what it said where it ends instead."""
    deadline = time.monotonic() + START_S
    with httpx.Client(transport=httpx.HTTPTransport(retries=0)) as client:
        while time.monotonic() < deadline:
            try:
                if client.get(f"{address}/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                if process.poll() is not None:
                    break
                time.sleep(0.2)
    said.seek(0)
    raise AssertionError(f"the tracking server did not start: {said.read()[-4000:]}")
