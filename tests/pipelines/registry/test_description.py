"""The registry page: who is live and by which figures, what waits and why, how versions stand."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.store.ledger import LedgerEntry, RegistryState
from contract.use_case.sections.release import Release
from pipelines.registry.description import Places, approver, front_page
from tests.conftest import made_use_case

BETTER = "roc_auc 0.8123 against 0.7654 of champion version 1: difference +0.0469"
WORSE = "roc_auc 0.7011 against 0.8123 of champion version 2: difference -0.1112"
AT = datetime(2024, 1, 2, 3, 4, tzinfo=UTC)
FIRST = LedgerEntry(
    "promote", "1", "anna", "the first one", RegistryState(champion="1"), time=AT, number=1
)
SECOND = replace(
    FIRST,
    version="2",
    who="berta",
    why=BETTER,
    state=RegistryState(champion="2", challenger="3", former=("1",)),
    time=AT.replace(day=5),
    number=2,
)
TAGS = {
    "1": {"train_run": "t1", "evaluate_run": "e1"},
    "2": {"train_run": "t2", "evaluate_run": "e2", "gate_run": "g2", "gate": "passed"},
    "3": {"evaluate_run": "e3", "gate": "refused", "gate_reasons": WORSE},
}


def test_the_page_shows_the_champion_with_the_figures_that_brought_it_there(home: Path) -> None:
    places = Places({"training": "7", "monitoring": "8"}, "m1")
    page = front_page(made_use_case(home), [FIRST, SECOND], TAGS, places)
    lines = page.split("\n\n")
    assert lines[0].startswith("**Live: version 2** since 2024-01-05 03:04 UTC, because ")
    assert "0.8123 against 0.7654 of champion version 1: difference +0.0469" in lines[0]
    assert "(by berta (unproven))" in lines[0]
    assert "[why the gate let it through](#/experiments/7/runs/g2" in lines[1]
    assert "[last verdict on it](#/experiments/8/runs/m1" in lines[1]
    assert "[the data it learned from](#/experiments/7/runs/t2" in lines[1]
    assert "[versions 2 and 3 compared](#/compare-runs?runs=" in lines[1]


def test_the_page_shows_why_the_challenger_was_refused(home: Path) -> None:
    page = front_page(made_use_case(home), [FIRST, SECOND], TAGS)
    (waiting,) = (line for line in page.split("\n\n") if line.startswith("**Waiting"))
    assert waiting.startswith("**Waiting: version 3**, gate refused: ")
    assert "0.7011 against 0.8123 of champion version 2: difference -0.1112" in waiting


@pytest.mark.parametrize(
    ("release", "tags", "whom"),
    [
        (Release(), {"trained_by": "anna"}, "somebody else than anna, who trained it"),
        (Release(), {}, "a second person"),
        (Release(self_approval=True), {"trained_by": "anna"}, "somebody"),
    ],
)
def test_the_page_names_whose_approval_is_waited_for(
    release: Release, tags: dict[str, str], whom: str
) -> None:
    assert approver(release, tags) == whom
