"""A machine that moves, dies, and meddles by hand in any order; the invariants hold after each."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from contract.errors import Refused
from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PREVIOUS, PRODUCTION, STAGING
from contract.store.ledger import Asked
from pipelines.registry.stages import set_stage
from pipelines.registry.versions import read_snapshot
from pipelines.runtime.workspace import Workspace
from tests.conftest import settle as settle_in
from tests.faults.test_moves import Died, mortal
from tests.support.rounds import rounds
from tests.support.versions import check, make, now, register, releases

ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
FEW = 4
EXAMPLES, STEPS = rounds(few=FEW, full=30), rounds(few=10, full=20)
MOVES: tuple[Asked, ...] = ("promote", "reject", "rollback", "register")


class Registry(RuleBasedStateMachine):
    """Two versions are there from the start; every rule may name any version, a gone one too."""

    versions: Bundle[str] = Bundle("versions")
    store: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        settle_in(Path(self.folder.name), self.patch)
        self.workspace: Workspace = releases(Path(self.folder.name), self.store)

    def teardown(self) -> None:
        self.patch.undo()
        self.folder.cleanup()

    def there(self, version: str) -> bool:
        snapshot = read_snapshot(self.workspace)
        return snapshot is not None and snapshot.observed.has(version)

    @initialize(target=versions)
    def begin(self) -> Any:
        first = register(self.workspace)
        make(self.workspace, "promote", first)
        return multiple(first, register(self.workspace))

    @rule(target=versions)
    def a_new_version(self) -> str:
        return register(self.workspace)

    @rule(move=st.sampled_from(MOVES), version=versions, stale=st.booleans())
    def a_move(self, move: Asked, version: str, stale: bool) -> None:
        expected = "0" if stale else now(self.workspace).champion
        barred = now(self.workspace).barred
        try:
            make(self.workspace, move, version, expected)
        except Refused:
            return
        assert not (move == "promote" and version in barred)

    @rule(move=st.sampled_from(MOVES), version=versions, writes=st.integers(0, 12))
    def a_move_that_dies(self, move: Asked, version: str, writes: int) -> None:
        expected = now(self.workspace).champion
        try:
            make(mortal(self.workspace, writes), move, version, expected)
        except (Died, Refused):
            return

    @rule(alias=st.sampled_from(ALIASES), version=versions)
    def an_alias_set_by_hand(self, alias: str, version: str) -> None:
        if self.there(version):
            client, name = self.workspace.client, self.workspace.model_name
            client.set_registered_model_alias(name, alias, version)

    @rule(alias=st.sampled_from(ALIASES))
    def an_alias_taken_by_hand(self, alias: str) -> None:
        snapshot = read_snapshot(self.workspace)
        if snapshot and alias in snapshot.observed.aliases:
            self.workspace.client.delete_registered_model_alias(self.workspace.model_name, alias)

    @rule(version=versions, stage=st.sampled_from((STAGING, PRODUCTION, ARCHIVED, "None")))
    def a_stage_set_by_hand(self, version: str, stage: str) -> None:
        if self.there(version):
            client, name = self.workspace.client, self.workspace.model_name
            set_stage(client, self.workspace.settings, name, version, stage)

    @rule(version=versions)
    def a_version_deleted_by_hand(self, version: str) -> None:
        if self.there(version):
            self.workspace.client.delete_model_version(self.workspace.model_name, version)

    @rule()
    def the_model_deleted_by_hand(self) -> None:
        if read_snapshot(self.workspace) is not None:
            self.workspace.client.delete_registered_model(self.workspace.model_name)

    @invariant()
    def the_registry_is_in_order(self) -> None:
        check(self.workspace)


def test_moves_crashes_and_meddling_in_any_order(empty_store: Path) -> None:
    machine: type[Registry] = type("RegistryOnAStore", (Registry,), {"store": empty_store})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=EXAMPLES == FEW,  # `make test` is the same each time
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
