"""Who may approve, on a real server with sign-in: proven by it, not by what an environment says."""

from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.store.ledger import read_entries
from pipelines import main, promote
from pipelines.registry.versions import Version
from pipelines.runtime import cli
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


def approve(use_case: str) -> Workspace:
    promote.main(use_case, reason="looks good")
    return open_releases(use_case)


def test_only_another_person_whom_the_server_proves_approves(
    home: Path,
    use_case: str,
    signed_in: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sign_in(monkeypatch, signed_in, "bob")
    monkeypatch.setenv("FOURCYCLE_ROOT", str(home / "tables"))
    # Bob, no admin, trains what nobody has made before, and says that he is ann.
    monkeypatch.setenv("FOURCYCLE_ACTOR", "ann")
    main.main(use_case)
    assert "waits for approval" in capsys.readouterr().err
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
    with pytest.raises(SystemExit) as denied:
        cli.execute(lambda: promote.main(use_case, reason="looks good"))
    assert denied.value.code == 2
    assert "MLflow's server does not let 'ann' ask for" in capsys.readouterr().err
    give_rights(signed_in, "ann", NAME)
    entry = read_entries(approve(use_case).tables)[-1]
    assert (entry.move, entry.who, entry.proven, entry.by) == ("promote", "ann", True, "ann")
