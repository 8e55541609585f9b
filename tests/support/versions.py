"""A registry of the test's own with versions that hold nothing, for tests of moves."""

import shutil
from pathlib import Path

from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PREVIOUS, PRODUCTION, STAGING
from contract.settings import read_settings
from contract.store.ledger import Asked, LedgerEntry, RegistryState, state_after, to_serve
from pipelines.registry.manual_changes import damage
from pipelines.registry.move import move, settle
from pipelines.registry.transitions import MoveRequest
from pipelines.registry.versions import create_version, read_snapshot
from pipelines.runtime.workspace import Workspace, connected
from tests.conftest import made_use_case

DATABASE = "mlflow.db"


def releases(home: Path, store: Path | None = None) -> Workspace:
    """A workspace on the embedded store in `home`, copied from a migrated one."""
    if store and not (home / DATABASE).exists():
        shutil.copy(store / DATABASE, home / DATABASE)
    return connected(made_use_case(home), read_settings(), "releases")


def releases_on(uri: str, home: Path, name: str, wait_s: float = 60) -> Workspace:
    """A workspace on the tracking store at an address, for a registered model of its own."""
    settings = read_settings().model_copy(update={"tracking_uri": uri, "store_wait_s": wait_s})
    return connected(made_use_case(home, {"name": name}), settings, "releases")


def register(workspace: Workspace) -> str:
    """A new version that became the challenger; its number."""
    run = workspace.client.create_run("0")  # not among the runs of moves
    source = f"{run.info.artifact_uri}/model"
    version = create_version(workspace, source, run.info.run_id, "", {}).version
    make(workspace, "register", version)
    return version


def make(
    workspace: Workspace, move_name: Asked, version: str, expected: str | None = None
) -> LedgerEntry | None:
    """A move that expects the champion that stands there, or the one that is named."""
    seen = now(workspace).champion if expected is None else expected
    return move(workspace, MoveRequest(move_name, version, "anna", "a test", expected=seen))


def now(workspace: Workspace) -> RegistryState:
    """How versions stand."""
    return state_after(settle(workspace))


def check(workspace: Workspace) -> None:
    """One champion, one Production, alias and stage in step, ledger whole and shown."""
    entries, snapshot = settle(workspace), read_snapshot(workspace)
    assert snapshot is not None or not entries or entries[-1].move == "reset"
    if snapshot is None or not entries:
        return
    aliases, stages = snapshot.observed.aliases, snapshot.observed.stages
    state = entries[-1].state
    assert damage(entries, snapshot) == ""
    served = to_serve(entries)
    assert state.champion in ("", served.version if served else "")  # nobody else makes one
    named = {CHAMPION: state.champion, CHALLENGER: state.challenger}
    named |= {PREVIOUS: state.previous}
    assert aliases == {alias: version for alias, version in named.items() if version}
    held = {PRODUCTION: state.champion, STAGING: state.challenger}
    for stage, version in held.items():
        assert [v for v, s in stages.items() if s == stage] == [version] * bool(version)
    assert all(stages[v] == ARCHIVED for v in state.former)
    assert not {state.champion, state.challenger, *state.former} & set(state.barred)
