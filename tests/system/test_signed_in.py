"""Who may approve, on a real server with sign-in: proven by it, not by what an environment says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.store.ledger import read_entries
from pipelines import promote
from pipelines.registry.versions import Version
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import Workspace, open_releases
from tests.support.tracking import give_rights, sign_in

NAME = "penguins"


@pytest.fixture
def use_case(home: Path) -> str:
    """The penguins, of which a second person must approve each version."""
    text = (PROJECT / f"use_cases/{NAME}.yaml").read_text(encoding="utf-8")
    file = home / f"{NAME}.yaml"
    file.write_text(text + "\nrelease: {approval: manual}\n", encoding="utf-8")
    return str(file)


def said(use_case: str, module: str) -> "subprocess.CompletedProcess[str]":
    """How a command of ours ends, and what it says."""
    return subprocess.run(
        [sys.executable, "-m", module, "--use-case", use_case],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )


def approve(use_case: str) -> Workspace:
    promote.main(use_case, reason="looks good")
    return open_releases(use_case)


def test_only_another_person_whom_the_server_proves_approves(
    home: Path, use_case: str, signed_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, signed_in, "bob")
    monkeypatch.setenv("FOURCYCLE_ROOT", str(home / "tables"))
    # Bob, no admin, trains what nobody has made before, and says that he is ann.
    monkeypatch.setenv("FOURCYCLE_ACTOR", "ann")
    done = said(use_case, "pipelines.main")
    assert done.returncode == 0, done.stderr
    assert "waits for approval" in done.stderr
    workspace = open_releases(use_case)
    version = Version.read(workspace, "1")
    assert (version.tags["trained_by"], version.tags["trained_by_note"]) == ("bob", "ann")
    (entry,) = read_entries(workspace.tables)
    assert (entry.who, entry.proven, entry.by) == ("bob", True, "bob (who says: ann)")
    for claim in ("ann", ""):  # as ann by a variable, as himself
        monkeypatch.setenv("FOURCYCLE_ACTOR", claim)
        with pytest.raises(Refused, match="was trained by bob; another person must approve it"):
            approve(use_case)
    sign_in(monkeypatch, signed_in, "ann", password_of="bob")
    with pytest.raises(BadInput, match="does not take the credentials of 'ann'"):
        approve(use_case)
    sign_in(monkeypatch, signed_in, "ann")
    denied = said(use_case, "pipelines.promote")
    assert denied.returncode == 2
    assert "MLflow's server does not let 'ann' ask for" in denied.stderr
    assert "Traceback" not in denied.stderr
    give_rights(signed_in, "ann", NAME)
    entry = read_entries(approve(use_case).tables)[-1]
    assert (entry.move, entry.who, entry.proven, entry.by) == ("promote", "ann", True, "ann")
