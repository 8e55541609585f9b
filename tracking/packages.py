"""The package of a registered version, brought to this disk from where the registry says it is."""

from pathlib import Path

from mlflow import MlflowException
from mlflow.artifacts import download_artifacts

from contract.errors import Unavailable
from tracking.store import holds_files, is_absent


class PackageGone(Unavailable):
    """Nothing stands where the registry says that a package is."""


def download(address: str, into: str, version: str, parts: tuple[str, ...] = ("",)) -> Path:
    """Download a package, or parts of it, into a folder; where it lies there.

    PackageGone, without the address, where nothing stands at it, FileNotFoundError where it lacks
    a part. What else goes wrong is MLflow's to say.
    """
    folder = Path(into)
    try:
        for part in parts:
            place = download_artifacts(f"{address}/{part}" if part else address, dst_path=into)
            folder = folder if part else Path(place)
    except (MlflowException, OSError) as error:
        if not holds_files(address):
            raise _gone(version) from error
        if isinstance(error, MlflowException) and is_absent(error):
            raise FileNotFoundError(f"the package lacks {part}") from error
        raise
    if not any(folder.iterdir()):  # what an object store answers for nothing
        raise _gone(version)
    return folder


def _gone(version: str) -> PackageGone:
    return PackageGone(
        f"the package of version {version} is not where the registry says it is: a store that was "
        "moved or copied needs fourcycle relocate, one whose artifacts were removed its backup"
    )
