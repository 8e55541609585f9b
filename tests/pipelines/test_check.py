"""The command: all at once, for people and programs; `main` asks it before anything else."""

import json
from pathlib import Path

import great_expectations.expectations as gx
import pytest

from contract.errors import BadInput, Unavailable
from pipelines.check import main
from pipelines.main import main as whole_pipeline
from pipelines.proposing.checking.declared_expectations import expectation_names
from pipelines.replaying.service_process import free_port
from tests.conftest import MADE, deliver, made_rows

BAD = MADE.replace("roc_auc, slices", "auc, slices").replace("[colour]", "[late]")
SAID = (
    "made can't work as it is declared:\n"
    "  - evaluation.slices[0]: late is the target, by which no row can be told apart before its "
    "answer; take a feature or a key\n"
    "  - evaluation.metric: no metric 'auc' for the task binary; did you mean 'roc_auc'?"
)


def write(home: Path, text: str) -> str:
    deliver(home, made_rows())
    (home / "made.yaml").write_text(text, encoding="utf-8")
    return str(home / "made.yaml")


def test_a_good_use_case_is_told_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(write(home, MADE))
    said = capsys.readouterr().err
    assert said == "made: nothing stands in the way; 200 rows looked at, no warnings\n"
    assert not (home / "mlflow.db").exists()


def test_a_source_that_was_read_whole_is_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loader = "def load():\n    return pandas.read_csv('rows.csv', parse_dates=['moment'])\n"
    (home / "rows.py").write_text(f"import pandas\n\n{loader}", encoding="utf-8")
    main(write(home, MADE.replace("{csv: rows.csv}", "{python: rows:load}")))
    assert "  the python source was read whole to see its rows\n" in capsys.readouterr().err


def test_everything_wrong_is_told_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput) as refused:
        main(write(home, BAD), as_json="yes")
    assert str(refused.value) == SAID
    found = json.loads(capsys.readouterr().out)
    assert (found["use_case"], found["rows"]) == ("made", 200)
    assert [f["severity"] for f in found["findings"]] == ["error", "error"]


def test_the_pipeline_does_no_work_on_it(home: Path) -> None:
    with pytest.raises(BadInput) as refused:
        whole_pipeline(write(home, BAD))
    assert str(refused.value) == SAID
    assert sorted(path.name for path in home.iterdir()) == ["made.yaml", "rows.csv"]


def test_a_tracking_address_is_looked_at_and_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    main(write(home, MADE))
    assert f"warning: {address} does not answer" in (said := capsys.readouterr().err)
    assert "jobs wait for it up to 60 s\n" in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://x")
    with pytest.raises(BadInput, match=r"made can't work .*\n  - MLFLOW_TRACKING_URI: 'htp://x'"):
        main(write(home, MADE))


def test_a_source_that_is_away_is_for_later(home: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    away = MADE.replace("{csv: rows.csv}", f"{{sql: {{url: '{url}', query: select 1}}}}")
    with pytest.raises(Unavailable, match=r"made can't be checked now:\n  - source\.sql: "):
        main(write(home, away))
    with pytest.raises(BadInput, match=r"evaluation\.metric"):  # what is known is told all the same
        main(write(home, away.replace("roc_auc, slices", "auc, slices")))


def test_the_list_of_expectations_is_great_expectations_own() -> None:
    there = {name for name in dir(gx) if name.startswith("Expect")} - {"Expectation"}
    assert set(expectation_names()) == there
