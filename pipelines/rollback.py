"""Rollback: make the version live again that was live before; the one taken out stays out."""

from typing import Annotated

import mlflow
import typer

from contract.errors import BadInput
from contract.hints import typed
from contract.store.ledger import RegistryState, state_after
from pipelines.promote import ReasonOption
from pipelines.registry.move import move, request_of, settle
from pipelines.registry.versions import Version
from pipelines.release.release_check import check_release
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_releases
from tracking.tags import VERSION_TAG

BackToOption = Annotated[str, typer.Option("--version", help="Version; empty: the previous one.")]


class RolledBack(Result):
    """The version that users get again, and the one taken out."""

    version: str
    taken_out: str
    moved: bool

    def line(self) -> str:
        if not self.moved:
            return f"version {self.version} is in Production"
        out = f"; version {self.taken_out} is archived and stays out" if self.taken_out else ""
        return f"version {self.version} → Production{out}"


STEP = Step("rollback", RolledBack, cached=False)


def rollback(workspace: Workspace, reason: str, version: str = "") -> Done[RolledBack]:
    """Archived → Production, release-checked; without a version the previous champion."""
    return execute(workspace, STEP, lambda: _rollback(workspace, reason, version))


def _rollback(workspace: Workspace, reason: str, version: str) -> RolledBack:
    entries = settle(workspace)
    now = state_after(entries)
    target = Version.read(workspace, version or previous_of(workspace, now))
    mlflow.set_tag(VERSION_TAG, target.version)
    if target.version == now.champion:
        return RolledBack(version=target.version, taken_out="", moved=False)
    checked = check_release(workspace, target, live_before=True)
    request = request_of(
        workspace, "rollback", target, reason, now.champion, release_check=checked.line()
    )
    moved = move(workspace, request, entries) is not None
    return RolledBack(version=target.version, taken_out=now.champion, moved=moved)


def previous_of(workspace: Workspace, now: RegistryState) -> str:
    """The version a rollback goes back to; BadInput where there is none."""
    if not now.previous:
        raise BadInput(
            f"{workspace.model_name!r} has no previous version to go back to; name one that was in "
            f"Production with --version; {typed('history', workspace.use_case.name)} shows them."
        )
    return now.previous


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: BackToOption = "",
    reason: ReasonOption = "",
) -> None:
    """Rollback: one command back to the previous version, or to any that was live."""
    rollback(open_releases(use_case, root), reason or "asked for by hand", version)


if __name__ == "__main__":
    cli.run(main)
