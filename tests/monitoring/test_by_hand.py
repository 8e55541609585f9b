"""Aliases that hands have moved: monitoring judges what is served, and tells people by itself."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract.names import CHAMPION
from contract.settings import read_settings
from contract.store.ledger import read_entries
from contract.store.tables import Tables
from monitoring.__main__ import main
from monitoring.windows.versions import live_version
from pipelines.registry.move import settle
from pipelines.runtime.workspace import Workspace
from pipelines.scheduling.jobs import JobContext, work
from tests.support.receiver import Receiver, listening
from tests.support.scheduled import declare
from tests.support.versions import make, register, releases


@pytest.fixture
def released(home: Path, empty_store: Path) -> Workspace:
    """Two versions of the made use case, of which the first was promoted."""
    workspace = releases(home, empty_store)
    make(workspace, "promote", register(workspace))
    register(workspace)
    return workspace


def set_by_hand(client: MlflowClient, version: str) -> None:
    client.set_registered_model_alias("made", CHAMPION, version)


def test_what_is_judged_is_what_is_served(released: Workspace, home: Path) -> None:
    set_by_hand(released.client, "2")
    assert live_version(released.client, released.tables) == "1"
    without = Tables(str(home / "elsewhere"), "made")  # no command has ever moved a version
    assert live_version(released.client, without) == "2"


def test_a_move_by_hand_is_told_once_without_a_command_that_moves(
    released: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = declare(home, monitor="0 * * * *")
    context = JobContext("made.yaml", use_case, read_settings())
    (task,) = work("monitor", context, {}, datetime.now(UTC)).tasks
    assert "--only deliveries" in " ".join(task.command)  # what the scheduler runs each time
    with listening(Receiver()) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", receiver.url)

        def told() -> list[str]:
            main("made.yaml", only="deliveries")
            return [json.loads(one.body)["text"] for one in receiver.got]

        assert told() == []
        before = len(read_entries(released.tables))
        set_by_hand(released.client, "2")
        (alarm,) = told()
        assert "MOVED_BY_HAND" in alarm
        assert len(told()) == 1
        assert len(read_entries(released.tables)) == before  # it looks, and changes nothing
        assert settle(released)[-1].move == "external"
        assert len(told()) == 1  # recorded and put right, which is no further news
        make(released, "reject", "2")
        assert "MOVED_BY_COMMAND" in told()[-1]
    bodies = [one.body.decode() for one in receiver.got]
    assert (
        "was moved to version 2 by hand, which serves nobody; the ledger says version 1"
        in (bodies[0])
    )
