"""Sign: vouch by key for a version that was made before there was one."""

import tempfile
from pathlib import Path

import mlflow

from contract.errors import BadInput, Refused
from contract.signing import SIGN
from contract.store.ledger import LedgerEntry, since_reset, state_after
from pipelines.gate import VersionOption
from pipelines.promote import ReasonOption
from pipelines.registry.fetch import fetch
from pipelines.registry.move import move, request_of, settle
from pipelines.registry.signatures import sign_version
from pipelines.registry.versions import Version
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_releases
from tracking.tags import PACKAGE_TAG, VERSION_TAG


class Signed(Result):
    """A version that a key vouches for, by the digest of its package."""

    version: str
    package: str

    def line(self) -> str:
        return f"version {self.version}, package {self.package[:12]}"


STEP = Step("sign", Signed, cached=False)


def sign(workspace: Workspace, version: Version, reason: str) -> Done[Signed]:
    """Sign a version and an entry of the ledger that vouches for it; it stays where it is."""
    return execute(workspace, STEP, lambda: _sign(workspace, version, reason))


def _sign(workspace: Workspace, version: Version, reason: str) -> Signed:
    mlflow.set_tag(VERSION_TAG, version.version)
    digest = version.tags.get(PACKAGE_TAG, "")
    entries = settle(workspace)
    check_recorded(since_reset(entries), version.version, digest)
    with tempfile.TemporaryDirectory() as into:
        fetch(version, Path(into))  # whether the package is the one that was registered
    if not sign_version(workspace, version):
        raise BadInput(f"{SIGN} names no key; one is needed to sign.")
    move(workspace, request_of(workspace, "sign", version, reason), entries)
    return Signed(version=version.version, package=digest)


def check_recorded(entries: list[LedgerEntry], version: str, digest: str) -> None:
    """Refused where the ledger knows the version by another package than the registry shows."""
    known = {e.package for e in entries if e.version == version and e.package} - {digest}
    if known:
        raise Refused(
            f"Version {version} is registered with the package {digest[:12]}, and the ledger knows "
            f"it with {', '.join(sorted(d[:12] for d in known))}: its tag was changed by hand."
        )


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
    reason: ReasonOption = "",
) -> None:
    """Sign: vouch by FOURCYCLE_SIGN_KEY for a version (empty: the champion) as it is registered."""
    workspace = open_releases(use_case, root)
    number = version or state_after(settle(workspace)).champion
    if not number:
        raise BadInput(f"{workspace.model_name!r} has no champion; name a version.")
    sign(workspace, Version.read(workspace, number), reason or "signed by hand")


if __name__ == "__main__":
    cli.run(main)
