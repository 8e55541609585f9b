"""Commands about the champion or the challenger, where there is none: what they say instead."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.settings import read_settings
from pipelines import backtest, gate, promote, reject, reproduce, sign, turn
from pipelines.registry.versions import Version, champion_of, tag
from pipelines.release.pull_request.opponent import registered
from pipelines.retrain import retrain
from tests.conftest import MADE, made_use_case
from tests.support.versions import make, register, releases
from tracking.tags import GATE_REASONS_TAG, GATE_TAG

ABOUT = [
    (partial(promote.main, "penguins"), "'penguins' has no challenger; name a version"),
    (partial(reject.main, "penguins", reason="no"), "has no challenger; name a version"),
    (partial(gate.main, "penguins"), "has no challenger; name a version"),
    (partial(reject.main, "penguins"), "rejection needs a reason"),
    (partial(sign.main, "penguins"), "has no champion; name a version"),
    (partial(backtest.main, "penguins"), "has no champion; name a version"),
    (partial(reproduce.main, "penguins"), "has no champion; name a version"),
    (partial(turn.main, "penguins"), "has no version in Production; .*main .*comes first"),
]


@pytest.mark.parametrize(("command", "said"), ABOUT)
def test_a_command_names_what_is_missing(
    stored: Path, command: Callable[[], None], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        command()


def test_nothing_is_retrained(stored: Path) -> None:
    done = retrain(made_use_case(stored))
    assert done.state == "NOT_NEEDED"
    assert "main makes the first one" in done.reasons[0]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({GATE_TAG: "passed", GATE_REASONS_TAG: "better"}, "passed the gate and waits for an app"),
        ({GATE_TAG: "refused", GATE_REASONS_TAG: "roc_auc 0.5"}, "refused version 1: roc_auc 0.5"),
    ],
)
def test_a_turn_says_why_nobody_is_live(
    home: Path, empty_store: Path, tags: dict[str, str], said: str
) -> None:
    workspace = releases(home, empty_store)
    tag(workspace, Version.read(workspace, register(workspace)), **tags)
    (home / "made.yaml").write_text(MADE, encoding="utf-8")
    with pytest.raises(Refused, match=said):
        turn.main("made.yaml")


def test_a_change_is_held_against_nobody_where_nobody_is_live(
    home: Path, empty_store: Path
) -> None:
    use_case = made_use_case(home)
    assert registered(use_case, read_settings(), home / "into") is None
    assert list(home.iterdir()) == []  # a look makes no store
    register(releases(home, empty_store))
    assert registered(use_case, read_settings(), home / "into") is None


def test_a_champion_that_was_deleted_by_hand_is_none(home: Path, empty_store: Path) -> None:
    workspace = releases(home, empty_store)
    make(workspace, "promote", register(workspace))
    workspace.client.delete_model_version("made", "1")
    assert champion_of(workspace) is None
