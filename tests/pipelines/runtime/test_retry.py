"""Work on a store that goes away: done again until it is back, not longer than is waited."""

import pytest
from deltalake.exceptions import DeltaError
from mlflow import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

from contract.errors import Unavailable
from pipelines.runtime.retry import retry_while_away

AWAY = MlflowException("no connection", TEMPORARILY_UNAVAILABLE)
WRONG = MlflowException("no such name", INVALID_PARAMETER_VALUE)


def failing(*errors: Exception) -> list[Exception]:
    """Errors of the attempts to come, the first one last."""
    return list(reversed(errors))


def test_work_is_done_again_until_the_store_is_back() -> None:
    errors = failing(AWAY, AWAY)

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert retry_while_away(work, wait_s=60) == "done"


def test_a_store_that_stays_away_is_not_waited_for_longer_than_was_said() -> None:
    def work() -> str:
        raise AWAY

    with pytest.raises(Unavailable, match=r"was away for 0\.1 s") as refused:
        retry_while_away(work, wait_s=0.1)
    assert refused.value.__cause__ is AWAY


@pytest.mark.parametrize("error", [OSError, DeltaError])
def test_the_store_of_the_tables_is_waited_for_too(error: type[Exception]) -> None:
    errors = failing(error("Kernel error -> Generic S3 error\n  ↳ Server returned 500"))

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert retry_while_away(work, wait_s=60) == "done"
    errors = failing(OSError("No space left on device"))
    with pytest.raises(OSError, match="No space"):
        retry_while_away(work, wait_s=60)


def test_what_waiting_does_not_mend_is_raised_at_once() -> None:
    errors = failing(WRONG)

    def work() -> str:
        raise errors.pop()

    with pytest.raises(MlflowException) as raised:
        retry_while_away(work, wait_s=60)
    assert (raised.value, errors) == (WRONG, [])
