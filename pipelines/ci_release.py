"""CI release: the version that waits goes live, for the person who let the deployment through.

GitHub knows who approved; MLflow's server proves the user that belongs to the environment alone.
Both stand in the ledger: the user as who acted, the approver as the note beside it.
"""

import os

from contract.errors import BadInput
from pipelines.promote import main as promote
from pipelines.registry.description import PENDING
from pipelines.registry.versions import challenger_of
from pipelines.release.pull_request.github import Repository, approver_of
from pipelines.runtime import cli
from pipelines.runtime.console import console
from pipelines.runtime.workspace import open_releases
from tracking.tags import APPROVAL_TAG

RUN, SERVER = "GITHUB_RUN_ID", "GITHUB_SERVER_URL"


def main(use_case: cli.UseCaseOption = "flights", root: cli.RootOption = "") -> None:
    """CI release: promote the version that waits for approval, if one does."""
    workspace = open_releases(use_case, root)
    waiting = challenger_of(workspace)
    if waiting is None or waiting.tags.get(APPROVAL_TAG) != PENDING:
        console().print(
            f"No version of {workspace.model_name} waits for approval; nothing was done."
        )
        return
    repository, run = Repository.of_job(), os.environ.get(RUN, "")
    approver = approver_of(repository, run)
    if not approver:
        raise BadInput(
            f"Version {waiting.version} waits for a person, and nobody was asked to let this job "
            "through: give its environment required reviewers."
        )
    os.environ["FOURCYCLE_ACTOR"] = approver
    page = f"{os.environ.get(SERVER, 'https://github.com')}/{repository.name}/actions/runs/{run}"
    promote(use_case, root, waiting.version, f"approved by {approver} in {page}")


if __name__ == "__main__":
    cli.run(main)
