"""The trace of an error that nobody foresaw, kept on the run that met it."""

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient

from contract.errors import FourcycleError
from contract.unforeseen import place_of, remember_place, trace
from tracking.server import try_no_more
from tracking.store import is_away

TRACE_FILE = "trace.txt"


@contextmanager
def traced(client: MlflowClient, run_id: str) -> Iterator[None]:
    """Keep the trace of what is raised in the block, unless it is a sentence of ours.

    The innermost run keeps it. Where the store itself is away, or fails, nothing is kept here, and
    of what is still asked on the way out nothing is tried again.
    """
    try:
        yield
    except FourcycleError:
        raise
    except Exception as error:
        if is_away(error):
            try_no_more()
        elif not place_of(error):
            _keep(client, run_id, error)
        raise


def _keep(client: MlflowClient, run_id: str, error: Exception) -> None:
    try:
        client.log_text(run_id, trace(error), TRACE_FILE)
    except Exception as failure:  # of any kind: the error itself is what is to be told
        error.add_note(f"the run {run_id} could not take the trace: {type(failure).__name__}")
    else:
        remember_place(error, f"{TRACE_FILE} of run {run_id}")
