"""A real `mlflow server` that keeps the artifacts too, as docker/tracking.Dockerfile starts it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from contract.command import NOTHING
from pipelines.replaying.service_process import free_port

# One worker and no runner of jobs: 2 processes for 15.
LIGHT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


PASSWORD = "a long enough word of {}"  # of each user
RIGHTS = "NO_PERMISSIONS"  # of everybody on what another has made, until an admin gives more
AUTH = """[mlflow]
default_permission = {rights}
database_uri = sqlite:///{folder}/auth.db
admin_username = admin
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""  # without the cache each request pays for the hash of a password


@contextmanager
def signed_in_server(folder: Path, users: Sequence[str], rights: str = RIGHTS) -> Iterator[str]:
    """A server that asks for a password and knows these users, on a sqlite store in the folder."""
    file = folder / "auth.ini"
    admin = ("admin", PASSWORD.format("admin"))
    file.write_text(AUTH.format(rights=rights, folder=folder, password=admin[1]))
    settings = {"MLFLOW_AUTH_CONFIG_PATH": str(file), "MLFLOW_FLASK_SERVER_SECRET_KEY": "key"}
    store = f"sqlite:///{folder}/mlflow.db"
    with tracking_server(store, folder, ["--app-name", "basic-auth"], settings) as address:
        for user in users:
            made = httpx.post(
                f"{address}/api/2.0/mlflow/users/create",
                json={"username": user, "password": PASSWORD.format(user)},
                auth=admin,
            )
            made.raise_for_status()
        yield address


def give_rights(address: str, user: str, use_case: str) -> None:
    """Let a user work with what others have made of a use case, as docs/releases.md asks."""
    with pytest.MonkeyPatch.context() as patch:
        sign_in(patch, address, "admin")
        client = MlflowClient(address, address)
        found = client.search_experiments(filter_string=f"name LIKE '{use_case}/%'")
    wanted = [("experiment", str(each.experiment_id), "EDIT") for each in found]
    for kind, name, right in [*wanted, ("registered_model", use_case, "MANAGE")]:
        given = {"resource_type": kind, "resource_id": name, "permission": right}
        httpx.post(
            f"{address}/api/3.0/mlflow/users/permissions/grant",
            json={"username": user, **given},
            auth=("admin", PASSWORD.format("admin")),
        ).raise_for_status()


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
    command = [str(Path(sys.executable).with_name("mlflow")), "server", "--workers", "1", *options]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts")]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env=os.environ | LIGHT | dict(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=0)) as client:
            for _ in range(300):
                try:
                    if client.get(f"{address}/health").status_code == httpx.codes.OK:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)
