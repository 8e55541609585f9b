"""The release check: before Production a version proves itself in a clean process.

It is loaded the way the service loads it, and must answer its golden rows as it did when it was
packaged, within the time that the use case declares. Nothing of the artifact is executed.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlflow

from contract.errors import Refused
from pipelines.closure import PROJECT
from pipelines.registry import Version
from pipelines.step import Result
from pipelines.workspace import Workspace

PACKAGE_TAG = "package_digest"
MANIFEST_FILE = "manifest.json"


class Checked(Result):
    """A version that can be served, as a clean process found out."""

    version: str
    seconds: float
    found: str

    def line(self) -> str:
        return f"{self.found}, {self.seconds:.1f} s"


def check_release(workspace: Workspace, version: Version) -> Checked:
    """Load and query the version in a clean process; Refused with the reason."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = _fetch(workspace, version, Path(name))
        found = _ask(workspace, version, folder)
    return Checked(version=version.version, seconds=time.monotonic() - started, found=found)


def _fetch(workspace: Workspace, version: Version, into: Path) -> Path:
    try:
        folder = Path(mlflow.artifacts.download_artifacts(version.source, dst_path=str(into)))
        digest = hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
    except (OSError, mlflow.MlflowException) as error:
        raise _refusal(version, f"its package can't be read: {error}") from error
    registered = version.tags.get(PACKAGE_TAG, "")
    if digest != registered:
        raise _refusal(version, "its package is not the one that was registered")
    return folder


def _ask(workspace: Workspace, version: Version, folder: Path) -> str:
    limit = workspace.use_case.release.check_s
    command = [sys.executable, "-m", "serving.check", str(folder)]
    command += ["--name", workspace.model_name, "--version", version.version]
    try:
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise _refusal(version, f"it did not answer its golden rows within {limit:g} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise _refusal(version, said[-1] if said else f"exit code {done.returncode}")
    return str(json.loads(done.stdout)["found"])


def _refusal(version: Version, reason: str) -> Refused:
    return Refused(f"Version {version.version} failed the release check: {reason}")
