import json
from pathlib import Path

import pytest

from contract.errors import Unavailable
from monitoring.alerts.__main__ import main


def test_an_alert_is_appended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURCYCLE_ALERT_FILE", str(home / "alerts"))
    for _ in range(2):
        main("penguins")
    lines = (home / "alerts").read_text(encoding="utf-8").strip().split("\n")
    assert [set(json.loads(line)) for line in lines] == [{"id", "headline"}] * 2


def test_it_is_tried_again_and_then_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURCYCLE_ALERT_FILE", str(home))  # a folder
    monkeypatch.setenv("FOURCYCLE_ALERT_DEADLINE_S", "1")
    with pytest.raises(Unavailable, match="Not sent to appended"):
        main("penguins")
