"""The champion that a change is held against, where its package is gone or another."""

from pathlib import Path

import pytest

from contract.settings import read_settings
from pipelines.registry.versions import Version, create_version, tag
from pipelines.release.pull_request.opponent import registered
from pipelines.runtime.workspace import Workspace
from tests.conftest import made_use_case
from tests.support.small import SMALL, pack, save_model
from tests.support.versions import make, releases
from tracking.tags import PACKAGE_TAG


@pytest.fixture
def workspace(home: Path, empty_store: Path) -> Workspace:
    return releases(home, empty_store)


def promoted(workspace: Workspace, package: Path) -> Version:
    run = workspace.client.create_run("0")
    made = create_version(workspace, package.as_uri(), run.info.run_id, "its card", {})
    make(workspace, "register", made.version)
    make(workspace, "promote", made.version)
    return made


@pytest.mark.parametrize("there", [False, True])
def test_a_champion_that_can_t_be_read_is_left_to_the_gate(
    workspace: Workspace, home: Path, there: bool
) -> None:
    package = home / "package"
    if there:
        pack(save_model(home / "model"), package, SMALL.replace("name: small", "name: made"))
    version = promoted(workspace, package)
    tag(workspace, version, **{PACKAGE_TAG: "0" * 64})
    found = registered(made_use_case(home), read_settings(), home / "into")
    assert found is not None
    assert (found.version.version, found.use_case, found.card) == ("1", None, "its card")
    assert found.version.source == package.as_uri()  # where the gate looks again
