"""The package of a registered version on this disk, if it is still the one that was registered."""

from pathlib import Path

from contract.package import verify
from pipelines.registry.versions import Version
from tracking.packages import download
from tracking.tags import PACKAGE_TAG


def fetch(version: Version, into: Path) -> Path:
    """Download a version's package into a folder; Refused unless it is what was registered.

    PackageGone where it is gone.
    """
    folder = download(version.source, str(into), version.version)
    verify(folder, version.tags.get(PACKAGE_TAG, ""))
    return folder
