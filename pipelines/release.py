"""The release check: before Production a version proves itself in a clean process.

It is loaded the way the service loads it, and must answer its golden rows as it did when it was
packaged, within the time that the use case declares. Nothing of the package is executed.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlflow
from mlflow.models import Model

from contract.errors import FourcycleError, Refused
from contract.names import USE_CASE_FILE
from contract.use_case_file import parse_use_case
from pipelines.closure import PROJECT
from pipelines.registry import Version
from pipelines.step import Result
from pipelines.workspace import Workspace
from serving.model import MANIFEST_FILE

PACKAGE_TAG = "package_digest"  # of a version: the SHA-256 of its manifest when it was registered
PYFUNC = "python_function"
LOADER = "mlflow.sklearn"  # the code that MLflow's own clients load our packages with


class Checked(Result):
    """A version that can be served, as a clean process found out."""

    version: str
    seconds: float
    golden_rows: int

    def line(self) -> str:
        return f"{self.golden_rows} golden rows answered as packaged, {self.seconds:.1f} s"


def check_release(workspace: Workspace, version: Version, known: bool = False) -> Checked:
    """Load and query the version in a clean process; Refused with the reason.

    A version that is `known`, since it has been live with these very bytes, is not searched for
    foreign types again, which takes seconds.
    """
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = _fetched(version, Path(name))
            _check_declared(folder)
            rows = _ask(workspace, version, folder, known)
    except (FourcycleError, OSError, ValueError, mlflow.MlflowException) as error:
        raise Refused(
            f"Version {version.version} failed the release check: {' '.join(str(error).split())}"
        ) from error
    took = time.monotonic() - started
    return Checked(version=version.version, seconds=took, golden_rows=rows)


def _fetched(version: Version, into: Path) -> Path:
    folder = Path(mlflow.artifacts.download_artifacts(version.source, dst_path=str(into)))
    digest = hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
    if digest != version.tags.get(PACKAGE_TAG, ""):
        raise Refused("its package is not the one that was registered.")
    return folder


def _check_declared(folder: Path) -> None:
    """Compare what the package tells MLflow's clients with the use case that it holds."""
    from pipelines.model import signature

    model = Model.load(str(folder))
    use_case = parse_use_case(
        (folder / USE_CASE_FILE).read_text(encoding="utf-8"), USE_CASE_FILE, folder
    )
    asked = signature(use_case)
    if model.signature is None or model.signature.inputs != asked.inputs:
        found = model.signature.inputs if model.signature else "none"
        raise Refused(f"its signature is not that of its use case: {found}.")
    flavor = model.flavors.get(PYFUNC, {})
    if flavor.get("loader_module") != LOADER or flavor.get("code"):
        raise Refused("it brings code of its own for MLflow's clients to run.")


def _ask(workspace: Workspace, version: Version, folder: Path, known: bool) -> int:
    limit = workspace.use_case.release.check_s
    command = [sys.executable, "-m", "serving.check", str(folder)]
    command += ["--name", workspace.model_name, "--version", version.version]
    command += ["--types", "no" if known else "yes"]
    try:
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"its golden rows were not answered within {limit:g} s.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Refused(said[-1] if said else f"the clean process ended with {done.returncode}.")
    return int(json.loads(done.stdout)["golden_rows"])
