"""The release check: before Production a version proves itself in a clean process.

It is loaded the way the service loads it, and must answer its golden rows as it did when it was
packaged, within the time that the use case declares. Nothing of the package is executed.
"""

import tempfile
import time
from pathlib import Path

import mlflow
from mlflow.models import Model

from contract.errors import FourcycleError, Refused
from contract.names import USE_CASE_FILE
from contract.use_case.loader import parse_frozen
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version
from pipelines.runtime.step import Result
from pipelines.runtime.workspace import Workspace
from serving.check import check_apart
from tracking.tags import PACKAGE_TAG

PYFUNC = "python_function"
LOADER = "mlflow.sklearn"  # the code that MLflow's own clients load our packages with


class ReleaseCheck(Result):
    """A version that can be served, as a clean process found out."""

    version: str
    seconds: float
    golden_rows: int

    def line(self) -> str:
        return f"{self.golden_rows} golden rows answered as packaged, {self.seconds:.1f} s"


def check_release(
    workspace: Workspace, version: Version, live_before: bool = False
) -> ReleaseCheck:
    """Load and query the version in a clean process; Refused with the reason.

    A version that was `live_before` with these very bytes is not searched for foreign types again,
    which takes seconds.
    """
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as into:
            folder = fetch(version, Path(into))
            _check_declared(folder)
            limit_s = workspace.use_case.release.check_s
            name, registered = workspace.model_name, version.tags[PACKAGE_TAG]
            rows = check_apart(
                folder,
                name,
                version.version,
                registered,
                not live_before,
                limit_s,
                workspace.code_folder,
            )
    except (FourcycleError, OSError, ValueError, mlflow.MlflowException) as error:
        raise Refused(
            f"Version {version.version} failed the release check: {' '.join(str(error).split())}"
        ) from error
    took = time.monotonic() - started
    return ReleaseCheck(version=version.version, seconds=took, golden_rows=rows)


def _check_declared(folder: Path) -> None:
    """Compare what the package tells MLflow's clients with the use case that it holds."""
    from pipelines.model.fitted import signature

    model = Model.load(str(folder))
    use_case = parse_frozen((folder / USE_CASE_FILE).read_text(encoding="utf-8"), folder)
    declared = signature(use_case)
    if model.signature is None or model.signature.inputs != declared.inputs:
        inputs = model.signature.inputs if model.signature else "none"
        raise Refused(f"its signature is not that of its use case: {inputs}.")
    flavor = model.flavors.get(PYFUNC, {})
    if flavor.get("loader_module") != LOADER or flavor.get("code"):
        raise Refused("it brings code of its own for MLflow's clients to run.")
