"""What a store is busy with while it is backed up: versions with packages of their own are logged,
registered and promoted, and rows appended, until stdin ends. One line for each promotion.
"""

import select
import sys
import tempfile
from pathlib import Path

import mlflow

from contract.names import USE_CASE_FILE
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from pipelines.package import ARTIFACT, seal
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version, create_version
from pipelines.runtime.workspace import Workspace, connected
from tests.support.versions import make
from tracking.tags import PACKAGE_TAG

USE_CASE = "penguins"


def promoted(workspace: Workspace) -> str:
    """The first version's package, changed a little, as a new champion; its number."""
    first = Version.read(workspace, "1")
    with tempfile.TemporaryDirectory() as name, mlflow.start_run() as run:
        folder = fetch(first, Path(name))
        with (folder / USE_CASE_FILE).open("a") as text:
            text.write(f"# {run.info.run_id}\n")
        digest = seal(folder)
        mlflow.log_artifacts(str(folder), ARTIFACT)
        source = f"{run.info.artifact_uri}/{ARTIFACT}"
        tags = first.tags | {PACKAGE_TAG: digest}
        version = create_version(workspace, source, run.info.run_id, "", tags).version
    make(workspace, "register", version)
    make(workspace, "promote", version)
    return version


def main() -> None:
    workspace = connected(load_use_case(USE_CASE), read_settings(), "releases")
    mlflow.set_experiment(experiment_id=workspace.experiment_id)
    rows = workspace.tables.read("raw").slice(0, 10)
    while not select.select([sys.stdin], [], [], 0)[0]:
        print(promoted(workspace), flush=True)
        workspace.tables.append("raw", rows)


if __name__ == "__main__":
    main()
