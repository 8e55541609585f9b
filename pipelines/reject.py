"""Reject: archive a version for good; no pipeline promotes it again."""

import tempfile
from dataclasses import replace
from pathlib import Path

import mlflow

from contract.errors import BadInput, Refused
from contract.store.ledger import state_after
from pipelines.gate import VersionOption
from pipelines.promote import ReasonOption
from pipelines.registry.fetch import fetch
from pipelines.registry.move import move, request_of, settle
from pipelines.registry.versions import Version, challenger_of
from pipelines.release.notices import tell_waiting
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_releases
from tracking.packages import PackageGone
from tracking.tags import VERSION_TAG


class Rejected(Result):
    """A version that no pipeline promotes."""

    version: str
    moved: bool
    why: str

    def line(self) -> str:
        return f"version {self.version} " + (
            f"→ Archived: {self.why}" if self.moved else "was rejected before"
        )


STEP = Step("reject", Rejected, cached=False)


def reject(workspace: Workspace, version: Version, reason: str) -> Done[Rejected]:
    """Staging → Archived, never promoted by a pipeline again.

    A champion whose package is gone or damaged goes, too: nothing can be compared with it.
    """
    return execute(workspace, STEP, lambda: _reject(workspace, version, reason))


def _reject(workspace: Workspace, version: Version, reason: str) -> Rejected:
    mlflow.set_tag(VERSION_TAG, version.version)
    request = request_of(workspace, "reject", version, reason)
    entries = settle(workspace)
    if version.version == state_after(entries).champion and (why := _unreadable(version)):
        request = replace(request, why=f"{reason} ({why})", unreadable=True)
    moved = move(workspace, request, entries) is not None
    return Rejected(version=version.version, moved=moved, why=request.why)


def _unreadable(version: Version) -> str:
    """Why nobody can load a version any more, as a sentence; "" where it is what was registered."""
    try:
        with tempfile.TemporaryDirectory() as into:
            fetch(version, Path(into))
    except (PackageGone, Refused) as error:
        return str(error)
    return ""


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
    reason: ReasonOption = "",
) -> None:
    """Reject: archive a version (empty: the challenger) for good, with a reason."""
    if not reason:
        raise BadInput("A rejection needs a reason: -P reason='...'.")
    workspace = open_releases(use_case, root)
    asked = Version.read(workspace, version) if version else challenger_of(workspace)
    if asked is None:
        raise BadInput(f"{workspace.model_name!r} has no challenger; name a version.")
    reject(workspace, asked, reason)
    tell_waiting(workspace, None)


if __name__ == "__main__":
    cli.run(main)
