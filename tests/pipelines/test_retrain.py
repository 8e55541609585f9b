"""Retraining over the whole pipeline: who caused it, what stops it, and what it writes down."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.names import CHAMPION, PRODUCTION
from contract.store.ledger import read_entries
from contract.use_case.model import UseCase
from contract.use_case.sections.release import Release
from pipelines.lineage import lineage
from pipelines.registry.versions import Version
from pipelines.reproduce import reproduce
from pipelines.retrain import main, retrain
from pipelines.retraining.options import read_as_of, read_wish
from pipelines.retraining.policy import PersonalRequest
from pipelines.retraining.verdicts import read_windows
from pipelines.runtime.lease import newest, take
from pipelines.runtime.workspace import Workspace
from tests.support import monitored as made
from tests.support.turned import DAYS, FILE, N_ROWS, Turned, copied

DRIFTED = f"{DAYS[1]} to {DAYS[2]}"


@pytest.fixture
def workspace(turned: Turned, home: Path) -> Workspace:
    return copied(turned, home)


def changed(workspace: Workspace, **changes: object) -> UseCase:
    policy = workspace.use_case.retraining.model_copy(update=changes)
    return workspace.use_case.model_copy(update={"retraining": policy})


def versions(workspace: Workspace) -> dict[str, str]:
    found = workspace.client.search_model_versions(f"name = '{workspace.model_name}'")
    return {str(v.version): str(v.current_stage) for v in found}


def said_of(workspace: Workspace, turned: Turned) -> dict[str, str]:
    """Tags of the report that calls."""
    tags: dict[str, str] = workspace.client.get_run(turned.reports[1].run_id).data.tags
    return tags


def test_a_verdict_causes_a_candidate_that_says_so(workspace: Workspace, turned: Turned) -> None:
    assert [m.status for m in turned.reports] == ["WATCH", "DRIFT"]
    workspace.client.set_model_version_tag("made", "1", "retrained_tuned", "yes")
    estimator = workspace.use_case.estimator.model_copy(update={"parameters": {"C": 1e-9}})
    done = retrain(workspace.use_case.model_copy(update={"estimator": estimator}))
    assert (done.state, done.cause, done.champion) == ("RETRAIN", turned.reports[1].run_id, "1")
    assert (done.version, done.gate_passed) == ("2", True)
    assert versions(workspace) == {"1": "Archived", "2": PRODUCTION}
    version = Version.read(workspace, "2")
    assert version.tags["retrained_because"] == done.cause
    assert version.tags["retrained_window"] == DRIFTED
    assert version.tags["retrained_signals"] == "performance"
    assert version.tags["retrained_tuned"] == "yes"  # and on to the next
    train = workspace.client.get_run(version.train_run)
    assert "estimator_C" not in train.data.params  # those of version 1, not those declared now
    cause = said_of(workspace, turned)
    assert cause["retrained_version"] == "2"
    assert cause["retraining"].startswith("version 2: Version 2 reached Production")
    nominated = next(e for e in read_entries(workspace.tables) if e.version == "2")
    assert nominated.why.startswith(f"Drift in performance, window {DRIFTED}")
    card = str(workspace.client.get_model_version("made", "2").description)
    assert f"**Retrained.** Drift in performance, window {DRIFTED}." in card
    note = workspace.client.get_run(done.run_id).data.tags["mlflow.note.content"]
    assert f"/runs/{done.cause}?" in note
    check_data(workspace, version)
    made.answer(workspace.tables, workspace.use_case, made.rows(1, 3, DAYS[2]), version="2")
    assert lineage(workspace, "r-3000000").retrained["retrained_because"] == done.cause
    assert reproduce(workspace, version).result.identical
    assert retrain(workspace.use_case).state == "NOT_NEEDED"


def check_data(workspace: Workspace, version: Version) -> None:
    """It learned from the champion's data and the first day; the second day was held out."""
    tables = workspace.tables
    training = tables.read("training", int(version.tags["training_version"])).to_pandas()
    holdout = tables.read("holdout", int(version.tags["holdout_version"])).to_pandas()
    assert set(holdout["moment"].dt.date.astype(str)) == {DAYS[1]}
    assert len(holdout) == N_ROWS
    assert len(training) == 200 + N_ROWS
    assert training["moment"].max().date().isoformat() == DAYS[0]
    assert training["id"].is_unique
    assert version.tags["labelled_version"] == str(tables.version("labelled"))


def test_the_gate_refuses_and_the_champion_stays(workspace: Workspace, turned: Turned) -> None:
    strict = changed(workspace, max_key_share=0.5)
    strict = strict.model_copy(
        update={"gates": strict.gates.model_copy(update={"minimum": {"roc_auc": 0.99}})}
    )
    done = retrain(strict)
    assert done.state == "SUSPICIOUS_LABELS"
    assert said_of(workspace, turned)["retraining"].startswith(
        "SUSPICIOUS_LABELS: 100% of the labels"
    )
    assert versions(workspace) == {"1": PRODUCTION}
    done = retrain(strict, wish=PersonalRequest(accept_labels=True, reason="we looked"))
    assert (done.state, done.gate_passed) == ("RETRAIN", False)
    assert "Accepted by hand: we looked." in Version.read(workspace, "2").tags["retrained_why"]
    assert versions(workspace) == {"1": PRODUCTION, "2": "Staging"}
    assert champion(workspace) == "1"
    assert retrain(strict).state == "NOT_NEEDED"  # it had its candidate
    # Killed before the report was told of it: the same candidate once more, not a second one.
    workspace.client.delete_tag(turned.reports[1].run_id, "retrained_version")
    again = retrain(
        strict, wish=PersonalRequest(force=True, accept_labels=True, reason="we looked")
    )
    assert (again.state, again.version) == ("RETRAIN", "2")
    assert versions(workspace) == {"1": PRODUCTION, "2": "Staging"}
    forced = retrain(
        changed(workspace, min_labels=10_000), wish=PersonalRequest(force=True, reason="again")
    )
    assert forced.state == "TOO_FEW_LABELS"


def test_what_needs_an_approval_waits_for_it(workspace: Workspace, turned: Turned) -> None:
    careful = workspace.use_case.model_copy(update={"release": Release(approval="manual")})
    done = retrain(careful)
    assert (done.state, done.gate_passed) == ("RETRAIN", True)
    assert "waits for approval" in done.conclusion
    assert versions(workspace) == {"1": PRODUCTION, "2": "Staging"}
    assert retrain(careful).state == "NOT_NEEDED"
    # Not even when it was killed before it could say so, or a later window drifts too.
    workspace.client.delete_tag(turned.reports[1].run_id, "retrained_version")
    assert retrain(careful).state == "WAITING"
    assert versions(workspace) == {"1": PRODUCTION, "2": "Staging"}


def champion(workspace: Workspace) -> str:
    found = workspace.client.get_model_version_by_alias(workspace.model_name, CHAMPION)
    return str(found.version)


def test_a_lease_of_another_host_is_respected(workspace: Workspace) -> None:
    take(workspace.tables, "elsewhere:1:0.0", timedelta(hours=1), datetime.now(UTC))
    done = retrain(workspace.use_case)
    assert done.state == "BUSY"
    assert "process elsewhere:1:0.0" in done.reasons[0]
    runs = workspace.client.search_runs([workspace.experiment_id], "tags.step = 'retrain'")
    assert list(runs) == []


def test_what_was_not_known_then_does_not_call(workspace: Workspace) -> None:
    # The second day has drifted by then, and its labels came in June.
    then = datetime(2024, 2, 3, tzinfo=UTC)
    assert retrain(workspace.use_case, as_of=then).state == "NOT_NEEDED"
    windows = read_windows(workspace, Version.read(workspace, "1"), made.LATER)
    assert [w.window for w in windows if w.verdict.drifting] == [DRIFTED]
    done = retrain(
        workspace.use_case, as_of=then, wish=PersonalRequest(force=True, reason="to see")
    )
    assert (done.state, newest_holder(workspace)) == ("TOO_FEW_LABELS", "")
    assert done.reasons[-1].startswith("0 labelled rows")


def newest_holder(workspace: Workspace) -> str:
    head = newest(workspace.tables)
    assert head
    return head.holder


def test_the_command_says_what_it_decided(
    workspace: Workspace,
    turned: Turned,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = str(turned.folder / FILE)
    launched = workspace.client.create_run(workspace.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    main(asked, as_of=DAYS[1], as_json="yes")
    monkeypatch.delenv("MLFLOW_RUN_ID")
    note = workspace.client.get_run(launched).data.tags["mlflow.note.content"]
    assert note.startswith("## NOT_NEEDED")
    out, err = capsys.readouterr()
    assert json.loads(out)["state"] == "NOT_NEEDED"
    assert "made: NOT_NEEDED" in err
    text = (turned.folder / FILE).read_text(encoding="utf-8")
    (Path.cwd() / FILE).write_text(text.replace("max_key_share: 1.0", "max_key_share: 0.5"))
    with pytest.raises(Refused, match="--accept-labels yes"):
        main(FILE)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda case: read_as_of("May", case), "as_of: a day or time"),
        (lambda _: read_wish("yes", "", ""), "need a reason"),
        (lambda _: read_wish("", "yes", " . "), "need a reason"),
        (lambda case: retrain(case, as_of=datetime.now(UTC) + timedelta(hours=1)), "in the future"),
    ],
)
def test_bad_usage_is_said(workspace: Workspace, ask: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ask(workspace.use_case)  # type: ignore[operator]


def test_a_day_begins_in_the_time_zone_of_the_use_case(workspace: Workspace) -> None:
    york = workspace.use_case.model_copy(update={"time_zone": "America/New_York"})
    assert read_as_of("2024-02-03", york) == datetime(2024, 2, 3, 5, tzinfo=UTC)
    assert read_as_of("2024-02-03T00:00:00+00:00", york) == datetime(2024, 2, 3, tzinfo=UTC)
    assert read_as_of("", york) is None
