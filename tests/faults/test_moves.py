"""Races and crashes of moves on a real registry: one champion, one Production, no half move."""

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from mlflow import MlflowClient

from contract.names import PRODUCTION
from contract.store.ledger import append_entry, read_entries
from pipelines.registry import move as moves
from pipelines.registry.move import settle
from pipelines.registry.sync import reconcile
from pipelines.registry.versions import read_snapshot
from pipelines.runtime.workspace import Workspace
from tests.support.promoters import answer, promoter, race
from tests.support.rounds import rounds
from tests.support.versions import check, make, now, register, releases
from tracking.tags import LEDGER_HASH_TAG

PROMOTERS = 3
ROUNDS = rounds(few=5, full=50)
EACH = rounds(few=3, full=1)  # every third write, or every one


def test_of_three_promoters_at_once_one_wins_and_the_others_are_told(
    home: Path, empty_store: Path
) -> None:
    workspace = releases(home, empty_store)
    with ExitStack() as stack:
        rivals = [stack.enter_context(promoter(home)) for _ in range(PROMOTERS)]
        assert [answer(rival) for rival in rivals] == ["ready"] * PROMOTERS
        for _ in range(ROUNDS):
            race(workspace, rivals)
    snapshot = read_snapshot(workspace)
    assert snapshot is not None
    assert list(snapshot.observed.stages.values()).count(PRODUCTION) == 1
    made = [entry.move for entry in settle(workspace)]
    assert made.count("promote") == ROUNDS
    assert set(made) == {"register", "promote"}


class Died(BaseException):
    """The process has ended here."""


class Mortal:
    """MLflow's client that ends the process before one of its writes: a double for `kill -9`."""

    WRITES = ("set_", "delete_", "transition_", "create_", "update_", "log_")

    def __init__(self, client: MlflowClient, writes: int) -> None:
        self._client, self.left = client, writes

    def __getattr__(self, name: str) -> Any:
        if name.startswith(self.WRITES):
            if self.left == 0:
                raise Died(name)
            self.left -= 1
        return getattr(self._client, name)


def mortal(workspace: Workspace, writes: int) -> Workspace:
    return replace(workspace, client=cast(MlflowClient, Mortal(workspace.client, writes)))


def writes_of_a_promotion(workspace: Workspace) -> int:
    """How many writes to the registry one promotion makes."""
    counting = mortal(workspace, 1000)
    make(counting, "promote", register(workspace))
    return 1000 - cast(Mortal, counting.client).left


def test_a_promotion_that_dies_at_any_write_is_finished_by_the_next_command(
    home: Path, empty_store: Path
) -> None:
    workspace = releases(home, empty_store)
    make(workspace, "promote", register(workspace))
    steps = writes_of_a_promotion(workspace)
    assert steps > 8
    for step in range(0, steps, EACH):
        version = register(workspace)
        with pytest.raises(Died):
            make(mortal(workspace, step), "promote", version)
        assert now(workspace).champion == version
        check(workspace)
    entries = settle(workspace)
    assert {entry.move for entry in entries} == {"register", "promote"}
    finished = workspace.client.search_runs(
        [workspace.experiment_id], "attributes.status = 'FINISHED'"
    )
    assert {r.data.tags[LEDGER_HASH_TAG] for r in finished} >= {e.hash for e in entries}


def unfinished(workspace: Workspace) -> None:
    """A promotion that another host has written to the ledger, and not yet to the registry."""
    head = settle(workspace)[-1]
    after = replace(head.state, champion=head.state.challenger, challenger="")
    entry = replace(head, move="promote", state=after, host="another-host")
    assert append_entry(workspace.tables, entry.after(head, datetime.now(UTC)))


def test_a_move_of_another_host_is_waited_for_then_finished(
    home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = releases(home, empty_store)
    version = register(workspace)
    unfinished(workspace)
    monkeypatch.setattr(moves, "LEASE_S", 1)
    started = time.monotonic()
    assert now(workspace).champion == version
    assert time.monotonic() - started >= 1
    check(workspace)


def test_a_host_that_is_slow_but_alive_is_not_overtaken(home: Path, empty_store: Path) -> None:
    workspace = releases(home, empty_store)
    version = register(workspace)
    unfinished(workspace)
    shown = read_entries(workspace.tables), read_snapshot(workspace)
    other_host = threading.Timer(1, reconcile, (workspace, *shown))
    other_host.start()
    assert now(workspace).champion == version
    assert not other_host.is_alive()
    check(workspace)


def test_two_hosts_that_write_the_same_entry_are_told_apart(home: Path, empty_store: Path) -> None:
    workspace = releases(home, empty_store)
    register(workspace)
    head = settle(workspace)[-1]
    first, second = (
        replace(head, who=who).after(head, datetime.now(UTC)) for who in ("anna", "bea")
    )
    assert append_entry(workspace.tables, first)
    assert not append_entry(workspace.tables, second)
    assert append_entry(workspace.tables, first)  # its commit was made, whatever was reported
    assert [e.who for e in read_entries(workspace.tables)][1:] == ["anna"]
