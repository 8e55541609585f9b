"""`python -m monitoring` as people and schedulers call it: its exit codes, and two at once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract.command import run
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.__main__ import main
from pipelines.runtime.code_hash import PROJECT
from tests.conftest import MADE
from tests.support import monitored as made

N_CATEGORIES = 100_000
PEAK_GIB = 1.0  # plain rows of flights take half of it
WRONG = {
    "no day": (("--from", "July"), "from: a day like 2013-07-01 is needed, found 'July'"),
    "backwards": (("--from", "2024-02-02", "--until", "2024-02-01"), "must be before until"),
    "two kinds": (("--from", "2024-02-02", "--last", "5"), "One window is needed"),
    "no rows": (("--last", "0"), "last: a whole number above zero is needed"),
    "neither yes nor no": (("--json", "maybe"), "json: yes or no is needed, found 'maybe'"),
    "no range": (("--versions", "7-3"), "versions: a rising range like 3-7 is needed"),
}

# As `python -m monitoring`; the peak of the memory that the kernel counts is that of this program
# alone, while a child's `ru_maxrss` begins with its parent's.
MEASURED = """
import atexit, pathlib, runpy, sys
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr))
runpy.run_module("monitoring", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_window_ends_with_two(
    client: MlflowClient,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    options, said = WRONG[name]
    (home / "made.yaml").write_text(MADE, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["monitoring", "--use-case", "made.yaml", *options])
    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_two_commands_at_once_make_one_report_of_a_hundred_thousand_words(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    asked = made.rows(N_CATEGORIES, 1)
    asked["moment"] = asked["moment"].iloc[0]  # all in one window
    made.answer(tables, use_case, asked.assign(group=[f"g{i}" for i in asked.index]))
    (home / "made.yaml").write_text(MADE, encoding="utf-8")
    options = ["--use-case", "made.yaml", "--json", "yes"]
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db", "PYTHONPATH": str(PROJECT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MEASURED, *options],
            env=os.environ | store,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    peaks = [int(re.findall(r"VmHWM:\s+(\d+) kB", err)[0]) / 1024**2 for _, err in said]
    assert max(peaks) < PEAK_GIB
    found = [json.loads(out) for out, _ in said]
    assert sorted(one["already"] for one in found) == [False, True]
    assert found[0]["run_id"] == found[1]["run_id"]
    assert found[0]["rows"] == N_CATEGORIES
    assert "columns:group" in found[0]["signals"]
    assert sum("reported before, not again" in err for _, err in said) == 1
