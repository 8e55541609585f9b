"""A trace that its run can't take does not hide the error."""

import shutil
from pathlib import Path

import pytest

from contract.settings import read_settings
from contract.unforeseen import place_of
from tracking.store import connect
from tracking.trace import traced


def test_a_run_that_can_t_take_the_trace_is_noted_at_the_error(
    home: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    client = connect(read_settings())
    (home / "file").write_text("")
    made = client.create_experiment("made", artifact_location=(home / "file" / "x").as_uri())
    run = client.create_run(made).info.run_id
    with pytest.raises(ZeroDivisionError) as raised, traced(client, run):
        1 / 0  # noqa: B018
    (note,) = raised.value.__notes__
    assert note.startswith(f"the run {run} could not take the trace: ")
    assert place_of(raised.value) == ""
