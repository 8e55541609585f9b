"""Wait for a tracking server that does not answer, instead of trying in silence for minutes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow import MlflowClient, MlflowException
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import SSLError, Timeout

from tracking.waiting import ANSWER_S, patient, was_away

RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
MOST_RETRIES = 9  # MLflow takes no more


def await_server(client: MlflowClient, uri: str, wait_s: float) -> None:
    """Wait until a server answers; from then on a request is tried again for about as long.

    The question is MLflow's own, so that its proxies, certificates and credentials hold for it.
    Unavailable where nothing is heard; whatever else the server says is for the caller to meet.
    """

    def ask() -> None:
        try:
            with _environment({RETRIES: "0", TIMEOUT: str(ANSWER_S)}):
                client.search_experiments(max_results=1)
        except MlflowException as error:
            if did_not_answer(error):
                raise

    try:
        patient(did_not_answer, uri, wait_s)(ask)
    except MlflowException as error:
        raise was_away(uri, wait_s) from error
    os.environ.setdefault(RETRIES, str(retries_within(wait_s)))


def try_no_more() -> None:
    """Ask a server once from here on: it stayed away, and each run that is to be closed would wait
    as long again."""
    os.environ[RETRIES] = "0"


def did_not_answer(error: BaseException) -> bool:
    """Whether an error of MLflow's client says that nothing was heard from the server."""
    cause = error.__cause__ or error.__context__
    unheard = isinstance(cause, NoConnection | Timeout) and not isinstance(cause, SSLError)
    return isinstance(error, MlflowException) and unheard


def retries_within(wait_s: float) -> int:
    """How often MLflow's client may try again: its pauses are 0, 4, 8, 16, ... seconds."""
    enough = (n for n in range(1, MOST_RETRIES) if 2 ** (n + 1) - 4 >= wait_s)
    return next(enough, MOST_RETRIES)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that MLflow reads at each request, set in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
