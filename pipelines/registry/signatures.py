"""Versions of the registry as signed: by the jobs' key, over name, number and package."""

from contract.errors import Refused
from contract.package import package_said
from contract.signing import sign, unsigned
from pipelines.registry.versions import Version, tag
from pipelines.runtime.workspace import Workspace
from tracking.tags import PACKAGE_TAG, SIGNATURE_TAG


def sign_version(workspace: Workspace, version: Version) -> bool:
    """Sign a version where this job holds a key; whether it does. BadInput where it is none."""
    signature = sign(workspace.settings.sign_key.get_secret_value(), *_said(workspace, version))
    if signature:
        tag(workspace, version, **{SIGNATURE_TAG: signature})
    return bool(signature)


def check_signed(workspace: Workspace, version: Version) -> None:
    """Refused where the key that is asked for has not signed the version as it is registered."""
    signature = version.tags.get(SIGNATURE_TAG, "")
    said = _said(workspace, version)
    if why := unsigned(workspace.settings.verify_key, signature, *said):
        raise Refused(f"{why}; `fourcycle sign --version {version.version}` signs it.")


def _said(workspace: Workspace, version: Version) -> tuple[str, ...]:
    digest = version.tags.get(PACKAGE_TAG, "")
    return package_said(workspace.model_name, version.version, digest)
