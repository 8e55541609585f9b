"""The run of a report that could not be written holds the trace."""

import pytest
from mlflow import MlflowClient

from contract.unforeseen import place_of
from monitoring.report.publish import _run
from tracking.trace import TRACE_FILE


def test_the_run_of_a_report_that_failed_holds_the_trace(client: MlflowClient) -> None:
    experiment = client.create_experiment("made/monitoring")
    with pytest.raises(ZeroDivisionError) as raised, _run(client, experiment, "report", {}) as run:
        1 / 0  # noqa: B018
    assert place_of(raised.value) == f"{TRACE_FILE} of run {run}"
    assert client.get_run(run).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(run)] == [TRACE_FILE]
