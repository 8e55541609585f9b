"""Promote, reject, rollback and history by their commands, on a version that the pipeline made."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.errors import BadInput, Refused
from contract.hints import typed
from contract.names import ARCHIVED, CHAMPION, PRODUCTION, STAGING
from contract.signing import unsigned
from contract.store.ledger import LedgerEntry, RegistryState, entry_said
from contract.use_case.sections.release import Release
from pipelines import history, promote, reject, rollback, sign
from pipelines.gate import Gated, evidence_of, opponent_of
from pipelines.main import Outcome
from pipelines.promote import check_approval, conclude, passed_against
from pipelines.register import nominate
from pipelines.registry.move import settle
from pipelines.registry.versions import Version, create_version, read_snapshot, tag
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import Workspace, open_releases, open_workspace
from tests.support.keys import key_pair
from tests.support.receiver import Receiver, listening
from tests.support.stores import copy_store
from tracking.tags import LEDGER_HASH_TAG
from tracking.who import Actor

GATE = {"gate": "passed", "gate_champion": "1", "gate_run": "r1", "gate_reasons": "better"}


@pytest.fixture
def folder(trained: tuple[Path, Outcome], home: Path) -> Path:
    """A copy of the folder in which version 1 of penguins is champion, with 2 as challenger.

    Both are the same package, whose artifacts stay where they are.
    """
    copy_store(trained[0], home)
    shutil.copytree(trained[0] / "data" / "penguins" / "ledger", home / "data/penguins/ledger")
    workspace = open_releases("penguins")
    again(workspace)
    return home


def again(workspace: Workspace) -> Version:
    """The champion's package as a further version, which passed the gate against the champion."""
    first = Version.read(workspace, "1")
    tags = first.tags | GATE | {"trained_by": "anna"}
    made = create_version(workspace, first.source, first.run_id, "card", tags)
    nominate(workspace, made, "a test")
    return Version.read(workspace, made.version)


def stages(workspace: Workspace) -> dict[str, str]:
    snapshot = read_snapshot(workspace)
    assert snapshot is not None
    return dict(snapshot.observed.stages)


def test_promote_then_rollback_in_one_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOURCYCLE_ACTOR", "bea")
    promote.main("penguins", reason="looks better")
    workspace = open_releases("penguins")
    assert stages(workspace) == {"1": ARCHIVED, "2": PRODUCTION}
    started = time.monotonic()
    rollback.main("penguins", reason="it is night")
    took = time.monotonic() - started
    assert stages(workspace) == {"1": PRODUCTION, "2": ARCHIVED}
    assert "version 1 → Production; version 2 is archived and stays out" in capsys.readouterr().err
    entry = settle(workspace)[-1]
    assert (entry.move, entry.who, entry.why) == ("rollback", "bea", "it is night")
    assert (entry.proven, entry.by) == (False, "bea (unproven)")
    assert "golden rows answered as packaged" in entry.release_check
    assert took < ROLLBACK_S


def test_what_is_live_already_is_not_moved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = settle(open_releases("penguins"))
    promote.main("penguins", version="1")
    rollback.main("penguins", version="1")
    assert capsys.readouterr().err.count("version 1 is in Production") == 2
    assert settle(open_releases("penguins")) == before


ROLLBACK_S = 30  # with imports, on a machine that runs other tests; docs/releases.md has the figure


def test_a_promotion_is_one_run_that_holds_its_entry(folder: Path) -> None:
    promote.main("penguins", reason="looks better")
    workspace = open_releases("penguins")
    entry = settle(workspace)[-1]
    wanted = f"tags.`{LEDGER_HASH_TAG}` = '{entry.hash}'"
    (run,) = workspace.client.search_runs([workspace.experiment_id], wanted)
    assert run.data.tags["gate_run"] == "r1"
    assert run.data.tags["data_version"].startswith("training@")
    assert "looks better" in run.data.tags["mlflow.note.content"]
    files = {file.path for file in workspace.client.list_artifacts(run.info.run_id)}
    assert files == {"ledger_entry.json", "result.json"}


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({}, "has not passed the gate .*not gated"),
        ({"gate": "refused", "gate_reasons": "worse"}, "has not passed the gate .*worse"),
        ({"gate": "undecided"}, "has not passed the gate"),
        ({"gate": "passed", "gate_champion": "1"}, "the champion is now version 3"),
        ({"gate": "passed", "gate_champion": "none"}, "the champion is now version 3"),
        ({"gate": "passed"}, "the champion is now version 3"),
    ],
)
def test_a_gate_that_did_not_say_yes_to_the_present_champion_refuses(
    tags: dict[str, str], said: str
) -> None:
    version = Version("4", STAGING, "", "", tags)
    with pytest.raises(Refused, match=said):
        passed_against(version, RegistryState(champion="3"))


def test_a_refused_promotion_changes_nothing_and_is_seen(folder: Path) -> None:
    workspace = open_releases("penguins")
    tag(workspace, Version.read(workspace, "2"), gate_champion="none")
    with pytest.raises(Refused, match="compared version 2 with none"):
        promote.main("penguins")
    assert stages(workspace) == {"1": PRODUCTION, "2": STAGING}
    failed = workspace.client.search_runs(
        [workspace.experiment_id], "attributes.status = 'FAILED' and tags.step = 'promote'"
    )
    assert len(failed) == 1


def test_a_conflict_is_one_sentence_and_exit_code_1(folder: Path) -> None:
    workspace = open_releases("penguins")
    tag(workspace, Version.read(workspace, "2"), gate_champion="7")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.promote", "--use-case", "penguins"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "with version 7, but the champion is now version 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_package_is_not_promoted(folder: Path) -> None:
    workspace = open_releases("penguins")
    tag(workspace, Version.read(workspace, "2"), package_digest="another")
    with pytest.raises(Refused, match="failed the release check"):
        promote.main("penguins")
    assert stages(workspace) == {"1": PRODUCTION, "2": STAGING}


def test_reject_needs_a_reason_and_stays(folder: Path) -> None:
    with pytest.raises(BadInput, match="needs a reason"):
        reject.main("penguins")
    reject.main("penguins", reason="too eager")
    workspace = open_releases("penguins")
    assert stages(workspace) == {"1": PRODUCTION, "2": ARCHIVED}
    with pytest.raises(Refused, match="rejected"):
        promote.main("penguins", version="2")


def test_a_champion_whose_package_is_gone_is_taken_out_as_the_gate_says(folder: Path) -> None:
    with pytest.raises(Refused, match="Version 1 is in Production"):
        reject.main("penguins", version="1", reason="a whim")
    with sqlite3.connect(folder / "mlflow.db") as database:
        gone = f"{folder}/mlruns/gone"
        database.execute("UPDATE model_versions SET source = ? WHERE version = 1", [gone])
    database.close()
    workspace = open_releases("penguins")
    champion, challenger = (Version.read(workspace, number) for number in "12")
    problems = evidence_of(workspace, challenger, champion).problems or ()
    (said,) = (problem for problem in problems if problem.startswith("champion version 1"))
    assert "is not where the registry says" in said
    assert said.endswith("fourcycle reject --version 1 --reason '...'")
    reject.main("penguins", version="1", reason="its artifacts are gone")
    assert stages(workspace) == {"1": ARCHIVED, "2": STAGING}
    entry = settle(workspace)[-1]
    assert (entry.move, entry.state.champion, entry.state.barred) == ("reject", "", ("1",))
    assert entry.why.startswith("its artifacts are gone (the package of version 1 is not where")
    assert opponent_of(workspace, challenger) is None  # the gate measures it by itself


def test_history_prints_the_newest_moves_or_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "NEWEST", 1)
    history.main("penguins")
    newest = capsys.readouterr().err
    history.main("penguins", every="yes")
    every = capsys.readouterr().err
    assert ("register" in every, "promote" in every) == (True, True)
    assert ("register" in newest, "promote" in newest) == (True, False)
    assert "earlier moves: --all yes prints them" in newest
    assert "earlier moves" not in every


def test_there_is_nothing_to_go_back_to(folder: Path) -> None:
    with pytest.raises(BadInput, match="no previous version"):
        rollback.main("penguins")
    with pytest.raises(Refused, match="never in Production"):
        rollback.main("penguins", version="2")


# Approval


ANNA, BEA = Actor("anna", "root"), Actor("bea", "anna")
CLAIMS_ANNA, CLAIMS_BEA = Actor("", "anna"), Actor("", "bea")
BY_ANNA = LedgerEntry("register", "4", "anna", "", RegistryState(), proven=True)
MANUAL = Release(approval="manual")
CLAIMED = Release(approval="manual", unproven=True)
BY_NOBODY = {"trained_by": "unproven", "trained_by_note": "anna"}


@pytest.mark.parametrize(
    ("release", "actor", "tags", "registered", "said"),
    [
        (Release(), CLAIMS_ANNA, BY_NOBODY, None, ""),
        (MANUAL, BEA, {"trained_by": "anna"}, BY_ANNA, ""),
        (MANUAL, ANNA, {"trained_by": "anna"}, BY_ANNA, "was trained by anna"),
        # A tag of a run can be written by hand, the ledger knows who registered.
        (MANUAL, ANNA, {"trained_by": "bea"}, BY_ANNA, "was trained by anna"),
        (MANUAL, BEA, {"trained_by": "bea"}, BY_ANNA, "was trained by bea"),
        (Release(approval="manual", self_approval=True), ANNA, {"trained_by": "anna"}, BY_ANNA, ""),
        (MANUAL, CLAIMS_BEA, {"trained_by": "anna"}, BY_ANNA, "nobody has proven that this is"),
        (MANUAL, BEA, BY_NOBODY, replace(BY_ANNA, proven=False), "Nobody has proven who trained"),
        (MANUAL, BEA, {"trained_by": "anna"}, None, "Nobody has proven who trained"),
        (MANUAL, BEA, {}, BY_ANNA, "Nobody has proven who trained"),
        (CLAIMED, CLAIMS_BEA, BY_NOBODY, replace(BY_ANNA, proven=False), ""),
        (CLAIMED, CLAIMS_ANNA, BY_NOBODY, None, "was trained by anna"),
    ],
)
def test_a_second_proven_person_approves_with_a_reason(
    release: Release,
    actor: Actor,
    tags: dict[str, str],
    registered: LedgerEntry | None,
    said: str,
) -> None:
    version = Version("4", STAGING, "", "", tags)
    if said:
        with pytest.raises(Refused, match=said):
            check_approval(release, version, actor, "good", registered)
    else:
        check_approval(release, version, actor, "good", registered)


def test_an_approval_needs_a_reason() -> None:
    with pytest.raises(BadInput, match="with a reason"):
        check_approval(MANUAL, Version("4", STAGING, "", ""), BEA, "", BY_ANNA)


def concluded(release: Release, passed: bool = True) -> str:
    """How a pipeline ends for version 2."""
    from contract.use_case.loader import load_use_case

    use_case = load_use_case("penguins").model_copy(update={"release": release})
    with open_workspace(use_case) as workspace:
        gated = Gated(version="2", champion="1", passed=passed, reasons=("it is as it is",))
        return conclude(workspace, Version.read(workspace, "2"), gated).sentence


def test_a_pipeline_says_why_its_version_is_live_or_not(folder: Path) -> None:
    workspace = open_releases("penguins")
    assert concluded(Release(), passed=False) == (
        "Version 2 did not reach Production, the gate refused it: it is as it is."
    )
    waits = concluded(Release(approval="manual"))
    command = typed("promote", "penguins", version="2", reason="...")
    assert waits.endswith(f"waits for approval: {command}")
    assert stages(workspace)["2"] == STAGING
    snapshot = read_snapshot(workspace)
    assert snapshot is not None
    assert snapshot.versions["2"].tags["approval"] == "pending"
    assert "approval pending" in str(snapshot.model.description)
    assert concluded(Release()).startswith("Version 2 reached Production, the gate passed")
    assert concluded(Release()) == "Version 2 is in Production."
    rollback.main("penguins", reason="at night")
    sentence = concluded(Release())
    assert sentence.startswith("Version 2 did not reach Production, it is archived: ")
    assert "at night" in sentence
    assert stages(workspace) == {"1": PRODUCTION, "2": ARCHIVED}


def test_people_hear_of_what_waits_what_was_refused_and_of_moves_by_hand(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(Receiver()) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", receiver.url)
        client = open_releases("penguins").client
        concluded(Release(approval="manual"), passed=False)
        client.set_registered_model_alias("penguins", CHAMPION, "2")
        for _ in range(2):  # the same again is no news
            concluded(Release(approval="manual"))
        reject.main("penguins", reason="too eager")
    told = [json.loads(one.body)["text"] for one in receiver.got]
    assert [text.split()[1].rstrip(".") for text in told] == [
        "GATE_REFUSED",
        "GATE_PASSED",
        "MOVED_BY_HAND",
        "WAITS_FOR_APPROVAL",
        "APPROVAL_SETTLED",
        "MOVED_BY_COMMAND",
    ]
    bodies = [one.body.decode() for one in receiver.got]
    assert "it is as it is" in bodies[0]
    assert "which is recorded and serves nobody" in bodies[2]
    assert "waits for the approval of somebody else than anna, who trained it" in bodies[3]


# Signatures


def test_with_a_key_only_what_it_signed_is_promoted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = key_pair()
    monkeypatch.setenv("FOURCYCLE_VERIFY_KEY", pair.public)
    with pytest.raises(Refused, match=r"failed the release check: .*`fourcycle sign --version 2`"):
        promote.main("penguins", reason="looks better")
    with pytest.raises(BadInput, match="FOURCYCLE_SIGN_KEY names no key"):
        sign.main("penguins", version="2")
    monkeypatch.setenv("FOURCYCLE_SIGN_KEY", pair.private)
    sign.main("penguins", version="2", reason="made before the key")
    promote.main("penguins", reason="looks better")
    sign.main("penguins", version="1")
    entries = settle(open_releases("penguins"))
    assert [(e.move, e.version) for e in entries[-3:]] == [
        ("sign", "2"),
        ("promote", "2"),
        ("sign", "1"),
    ]
    for entry in entries[-3:]:
        assert unsigned(pair.public, entry.signature, *entry_said("penguins", entry)) == ""
    assert stages(open_releases("penguins")) == {"1": ARCHIVED, "2": PRODUCTION}
    workspace = open_releases("penguins")
    tag(workspace, Version.read(workspace, "1"), package_digest="0" * 64)
    with pytest.raises(Refused, match=r"and the ledger knows it with .*changed by hand"):
        sign.main("penguins", version="1")


# History


def told(capsys: pytest.CaptureFixture[str], **options: str) -> dict[str, Any]:
    capsys.readouterr()
    history.main("penguins", as_json="yes", **options)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_history_prints_verifies_and_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys)
    assert found["intact"] is True
    assert [e["move"] for e in found["entries"]] == ["register", "promote", "register"]
    assert told(capsys, at=found["entries"][1]["time"])["champion"] == "1"
    assert told(capsys, at="2001-01-01")["champion"] == ""
    history.main("penguins")
    said = capsys.readouterr().err
    assert "Moves of penguins" in said
    assert "champion: version 1, previous: none" in said
    history.main("penguins", at="2001-01-01")
    assert "champion of penguins at 2001-01-01: none" in capsys.readouterr().err
    with pytest.raises(BadInput, match="a time such as"):
        history.main("penguins", at="yesterday")


def test_history_notices_what_was_done_by_hand(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = open_releases("penguins")
    workspace.client.set_registered_model_alias("penguins", CHAMPION, "2")
    found = told(capsys)["entries"][-1]
    assert (found["move"], found["version"], found["champion"]) == ("external", "2", "1")
    assert stages(workspace) == {"1": PRODUCTION, "2": STAGING}
    promote.main("penguins", reason="looks better")
    workspace.client.delete_model_version("penguins", "2")
    history.main("penguins")
    assert "rollback brings back version 1" in capsys.readouterr().err
    rollback.main("penguins")
    assert stages(workspace) == {"1": PRODUCTION}


def test_history_tells_of_a_damaged_ledger(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = max((folder / "data/penguins/ledger/_delta_log").glob("*.json"))
    newest.unlink()
    with pytest.raises(Refused, match="damaged: the registry shows entry 3"):
        history.main("penguins")
