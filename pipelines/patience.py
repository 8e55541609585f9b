"""Wait for a tracking database that is away, up to a deadline, instead of failing half way.

A tracking server is waited for by MLflow's own client. A job that talks to PostgreSQL itself gets
the same here: every new connection is tried until the deadline, and a move, which may be repeated
at any point, is repeated when the database goes away in the middle of a statement.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from mlflow import MlflowException

from contract.errors import Unavailable
from pipelines.workspace import Workspace

T = TypeVar("T")

PAUSE_S = 0.5


def patiently(workspace: Workspace, work: Callable[[], T]) -> T:
    """The result of `work`, which may be repeated; Unavailable when the store stays away."""
    deadline = time.monotonic() + workspace.settings.store_wait_s
    while True:
        try:
            return work()
        except MlflowException as error:
            if error.error_code != "TEMPORARILY_UNAVAILABLE":
                raise
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The tracking store was away for {workspace.settings.store_wait_s:g} s; "
                    "try again later."
                ) from error
        time.sleep(PAUSE_S)
