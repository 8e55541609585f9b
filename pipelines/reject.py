"""Reject: archive a version for good; no pipeline promotes it again."""

import mlflow

from contract.errors import BadInput
from pipelines.gate import VersionOption
from pipelines.promote import ReasonOption
from pipelines.registry.move import move, request_of
from pipelines.registry.versions import Version, challenger_of
from pipelines.release.notices import tell_waiting
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_releases
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
    """Staging → Archived, never promoted by a pipeline again."""
    return execute(workspace, STEP, lambda: _reject(workspace, version, reason))


def _reject(workspace: Workspace, version: Version, reason: str) -> Rejected:
    mlflow.set_tag(VERSION_TAG, version.version)
    moved = move(workspace, request_of(workspace, "reject", version, reason)) is not None
    return Rejected(version=version.version, moved=moved, why=reason)


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
