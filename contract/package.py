"""What seals a version's package: a manifest with the SHA-256 of every file.

Artifacts have no digest of their own, and whoever can write to their store can write a manifest
too. So the SHA-256 of the manifest stands in the registry, as a tag of the version, and a package
is used only where the two agree.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from contract.errors import Refused
from contract.names import PACKAGE_TAG

MANIFEST_FILE = "manifest.json"
# MLflow writes the second one anew for each registration.
NOT_SEALED = {MANIFEST_FILE, "registered_model_meta"}


def verify(folder: Path, registered: str | None = None, parts: Iterable[str] = ("",)) -> str:
    """Compare files with the manifest and answer its SHA-256; Refused names what differs.

    `registered` is what the registry says of the version, "" where it says nothing; None where
    there is no registry to ask. `parts` begin the names of the files that are there to compare.
    """
    text = (folder / MANIFEST_FILE).read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    if registered is not None and registered != digest:
        registration = f"as {registered[:12]}" if registered else f"without the tag {PACKAGE_TAG}"
        raise Refused(
            f"Its package is not the one that was registered: found {digest[:12]}, registered "
            f"{registration}."
        )
    sealed = json.loads(text)
    if not isinstance(sealed, dict):
        raise Refused(f"{MANIFEST_FILE} is no mapping of file names to SHA-256.")
    present = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        if name not in NOT_SEALED  # at the top alone: deeper, the same name is a stranger
    }
    wrong = [name for name in {*sealed, *present} if sealed.get(name) != present.get(name)]
    if wrong := sorted(name for name in wrong if name.startswith(tuple(parts))):
        raise Refused(f"The artifact is not what was registered; differing: {', '.join(wrong)}.")
    return digest


def package_said(model: str, version: str, digest: str) -> tuple[str, ...]:
    """What the signature of a version is over: its package under another number is another one."""
    return "version", model, version, digest
