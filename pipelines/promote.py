"""Promote: move a version that passed the gate to Production; serving follows by itself."""

from typing import Annotated

import mlflow
import typer

from contract.errors import BadInput, Refused
from contract.names import PRODUCTION
from pipelines import cli
from pipelines.gate import VersionOption
from pipelines.registry import Version, challenger_of, tag, to_production
from pipelines.step import Done, Result, Step, execute
from pipelines.workspace import Workspace, open_workspace

ReasonOption = Annotated[str, typer.Option(help="Why; stands on the version.")]


class Promoted(Result):
    """The version that users now get."""

    version: str
    moved: bool

    def line(self) -> str:
        return f"version {self.version} " + ("→ Production" if self.moved else "is in Production")


STEP = Step("promote", Promoted, cached=False)


def promote(workspace: Workspace, version: Version, reason: str) -> Done[Promoted]:
    """Staging → Production; a version that is there already stays."""
    return execute(workspace, STEP, lambda: _promote(workspace, version, reason))


def _promote(workspace: Workspace, version: Version, reason: str) -> Promoted:
    mlflow.set_tag("model_version", version.version)
    if version.stage == PRODUCTION:
        return Promoted(version=version.version, moved=False)
    if Version.read(workspace, version.version).tags.get("gate") != "passed":
        raise Refused(f"Version {version.version} has not passed the gate; run the gate first.")
    to_production(workspace, version)
    tag(workspace, version, promoted_because=reason)
    return Promoted(version=version.version, moved=True)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
    reason: ReasonOption = "",
) -> None:
    """Promote: move a version that passed the gate to Production."""
    with open_workspace(use_case, root) as workspace:
        asked = Version.read(workspace, version) if version else challenger_of(workspace)
        if asked is None:
            raise BadInput(f"{workspace.model_name!r} has no challenger; name a version.")
        promote(workspace, asked, reason or "asked for by hand")


if __name__ == "__main__":
    cli.run(main)
