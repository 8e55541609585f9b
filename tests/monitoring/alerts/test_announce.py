"""From the reports in MLflow to real receivers: what is told, once, in order, and never lost."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from pydantic import SecretStr

from contract.settings import Settings, read_settings
from contract.use_case.model import UseCase
from monitoring.alerts import outbox
from monitoring.alerts.announce import Delivery, announce, tell
from monitoring.alerts.channels.registry import channels
from monitoring.alerts.notice import Notice
from monitoring.alerts.notices import job_failed
from monitoring.alerts.notices.refused_delivery import refused, taken
from monitoring.measures.compare import ColumnChange, ColumnSummaries
from monitoring.measures.count import WindowCounts
from monitoring.measures.observe import ObservedWindow
from monitoring.measures.performance import PerformanceFall
from monitoring.report.evidently_pages import NO_PAGES
from monitoring.report.figures import WindowReport
from monitoring.report.history import read_history
from monitoring.report.publish import publish
from monitoring.verdict.evidence import ColumnFinding, DriftVerdict, State, WindowEvidence
from monitoring.verdict.judge import JudgedWindow, Performance
from monitoring.windows.reference import Rows
from monitoring.windows.rows import ANSWER
from monitoring.windows.versions import ServedModel, monitoring_experiment
from tests.support.receiver import SECRET, Receiver, listening
from tracking.tags import ALERT_DUE_TAG, ALERT_SENT_TAG, ALERT_TAG, NOTICE_TAG

SECRET_WORD = "Smith"
COLUMN = "columns:group"


def judged(state: State, *signals: str, drifting: bool = True, labels: int = 0) -> JudgedWindow:
    """A verdict with the evidence that a message speaks of."""
    kept = signals if drifting else ()
    change = ColumnChange("group", "columns", 0.3, 1e-9, f"{SECRET_WORD} 10.0% → 90.0%")
    fall = (
        PerformanceFall("roc_auc", 0.8, 0.6, 0.55, 0.65, 0.15, 0.25, 100, labels)
        if labels
        else None
    )
    evidence = WindowEvidence(100, (ColumnFinding(change, 0.1, 1e-8, True),), fall)
    verdict = DriftVerdict(state, (f"{state} it is.",), signals, kept, kept, labels > 0)
    performance = Performance(100, {}, {}, {}, fall, None, ())
    return JudgedWindow(verdict, evidence, ColumnSummaries({}, None, None), None, performance, {})


class Reports:
    """Publishes reports of one version, day by day."""

    def __init__(self, client: MlflowClient, use_case: UseCase) -> None:
        self.client, self.use_case = client, use_case
        self.settings = read_settings()
        self.where = monitoring_experiment(client, self.settings, use_case.name)

    def add(self, day: int, found: JudgedWindow, version: str = "1") -> str:
        history = read_history(self.client, self.where, version)
        observed = self.observed(day, version)
        revision = len(history.revisions(observed.title)) + 1
        report = WindowReport(observed, found, NO_PAGES, revision, f"{day} {revision}")
        return publish(self.client, self.where, report, history)

    def observed(self, day: int, version: str) -> ObservedWindow:
        start = datetime(2024, 2, day, tzinfo=UTC)
        return ObservedWindow(
            served=ServedModel(version, self.use_case, None, registered=False),
            title=f"2024-02-{day:02}",
            start=start,
            end=start + timedelta(days=1),
            counts=WindowCounts(100, None, None, ColumnSummaries({}, None, None)),
            sample=Rows(pd.DataFrame(), pd.DataFrame(columns=list(ANSWER))),
            frozen=None,
            schema={},
        )

    def announce(self, *to: Receiver, version: str = "1") -> tuple[Delivery, ...]:
        """To the webhook, and to Slack where a second receiver is given."""
        return announce(self.use_case, self.settings, [version], channels(self.reach(*to)))

    def reach(self, *to: Receiver) -> Settings:
        names = ("alert_webhook_url", "alert_slack_url")
        urls = {name: SecretStr(r.url) for name, r in zip(names, to, strict=False)}
        known = {"alert_webhook_secret": SecretStr(SECRET), "alert_deadline_s": 0.2}
        return self.settings.model_copy(update={**known, **urls})

    def tags(self, run_id: str) -> dict[str, str]:
        found = self.client.get_run(run_id).data.tags
        return {t: found[t] for t in (ALERT_TAG, ALERT_DUE_TAG) if t in found}


@pytest.fixture
def reports(client: MlflowClient, use_case: UseCase) -> Reports:
    return Reports(client, use_case)


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """Kind and window of what was accepted, in order."""
    found = [json.loads(d.body) for d in receiver.accepted]
    return [(f["type"].removeprefix("monitoring."), f["data"]["window"]) for f in found]


def test_one_message_when_it_opens_and_one_when_it_is_over(reports: Reports) -> None:
    course: list[JudgedWindow] = [
        judged("OK"),
        judged("WATCH", COLUMN, drifting=False),
        judged("DRIFT", COLUMN),
        judged("DRIFT", COLUMN),
        judged("NO_DATA"),
        judged("NOT_ENOUGH_DATA"),
        judged("WATCH", COLUMN, drifting=False),
        judged("OK"),
        judged("OK"),
    ]
    with listening(Receiver()) as receiver:
        for day, found in enumerate(course, start=1):
            reports.add(day, found)
            reports.announce(receiver)
            reports.announce(receiver)  # the window again, as a second run of the command would
    assert told(receiver) == [("alarm", "2024-02-03"), ("recovery", "2024-02-08")]
    alarm, recovery = (json.loads(d.body)["data"] for d in receiver.got)
    assert alarm["signals"] == recovery["signals"] == [COLUMN]
    assert recovery["reasons"] == ["Recovered: column group.", "This window: OK it is."]


def test_a_message_names_figures_and_no_input_value(reports: Reports) -> None:
    run_id = reports.add(1, judged("DRIFT", "performance", COLUMN, labels=90))
    with listening(Receiver()) as webhook, listening(Receiver()) as slack:
        reports.announce(webhook, slack)
    data = json.loads(webhook.got[0].body)["data"]
    assert data["reasons"][1] == (
        "roc_auc is 0.600 [0.550, 0.650] against 0.800: worse by 0.150 to 0.250, margin 0.02."
    )
    assert data["reasons"][2] == "group moved (distance 0.30, limit 0.10; adjusted p 1e-08)."
    assert data["next_steps"][0].startswith("Retrain: fourcycle retrain --use-case made")
    assert data["report"] == (
        f"http://127.0.0.1:5000/#/experiments/{reports.where}/runs/{run_id}"
        "?workflowType=machine_learning"
    )
    everything = webhook.got[0].body + slack.got[0].body
    assert SECRET_WORD.encode() not in everything
    assert slack.got[0].body.count(b"group moved") == 1


def test_labels_come_late_and_their_absence_is_no_recovery(reports: Reports) -> None:
    with listening(Receiver()) as receiver:
        for day, found in (
            (1, judged("OK")),
            (2, judged("OK")),
            (1, judged("DRIFT", "performance", labels=90)),  # a revision of the older window
            (3, judged("OK")),  # no labels yet
            (2, judged("DRIFT", "performance", labels=90)),
            (3, judged("OK", labels=90)),
        ):
            reports.add(day, found)
            reports.announce(receiver)
    assert told(receiver) == [("alarm", "2024-02-01"), ("recovery", "2024-02-03")]


def test_an_old_window_that_is_reported_late_opens_and_closes_nothing(reports: Reports) -> None:
    with listening(Receiver()) as receiver:
        for day, found in (
            (5, judged("OK")),
            (2, judged("DRIFT", COLUMN)),
            (6, judged("DRIFT", COLUMN)),
            (3, judged("OK")),
        ):
            reports.add(day, found)
            reports.announce(receiver)
    assert told(receiver) == [("alarm", "2024-02-06")]


def test_versions_are_told_apart(reports: Reports) -> None:
    with listening(Receiver()) as receiver:
        for version in ("1", "2"):
            reports.add(1, judged("DRIFT", COLUMN), version)
            reports.announce(receiver, version=version)
    versions = [json.loads(d.body)["data"]["version"] for d in receiver.got]
    assert versions == ["1", "2"]


def test_the_policy_says_what_is_worth_a_message(reports: Reports) -> None:
    policy = reports.use_case.monitoring.model_copy(update={"alert_on": ("performance",)})
    reports.use_case = reports.use_case.model_copy(update={"monitoring": policy})
    with listening(Receiver()) as receiver:
        reports.add(1, judged("DRIFT", COLUMN))
        reports.announce(receiver)
        reports.add(2, judged("DRIFT", "performance", COLUMN, labels=90))
        reports.announce(receiver)
    assert told(receiver) == [("alarm", "2024-02-02")]


def test_who_fails_is_tried_by_the_next_run_in_order_and_others_hear_once(
    reports: Reports,
) -> None:
    with listening(Receiver(script=[404, 404])) as webhook, listening(Receiver()) as slack:
        first = reports.add(1, judged("DRIFT", COLUMN))
        done = reports.announce(webhook, slack)
        assert [(d.channel, d.failure) for d in done] == [
            ("webhook", "it answered 404"),
            ("slack", ""),
        ]
        assert reports.tags(first) == {ALERT_TAG: "alarm", ALERT_DUE_TAG: "webhook"}
        second = reports.add(2, judged("OK"))
        reports.announce(webhook, slack)  # the webhook fails again and gets no recovery first
        assert reports.tags(second) == {ALERT_TAG: "recovery", ALERT_DUE_TAG: "webhook"}
        reports.announce(webhook, slack)
        assert reports.announce(webhook, slack) == ()
    assert told(webhook) == [("alarm", "2024-02-01"), ("recovery", "2024-02-02")]
    assert len(slack.got) == 2
    assert reports.tags(first)[ALERT_DUE_TAG] == ""
    sent = reports.client.get_run(first).data.tags[ALERT_SENT_TAG]
    assert [part.split()[0] for part in sent.split(", ")] == ["slack", "webhook"]


def test_what_cannot_be_read_costs_no_other_version_and_no_later_run(
    reports: Reports, home: Path
) -> None:
    def lose(run_id: str, name: str) -> None:
        (file,) = home.rglob(f"{run_id}/artifacts/{name}")
        file.unlink()

    warned: list[str] = []
    with listening(Receiver(script=[404])) as receiver:
        lost = reports.add(1, judged("DRIFT", COLUMN), "1")
        reports.announce(receiver)
        lose(lost, "alert.json")
        lose(reports.add(2, judged("DRIFT", COLUMN), "1"), "verdict.json")
        reports.add(2, judged("DRIFT", COLUMN), "2")
        to = channels(reports.reach(receiver))
        done = announce(reports.use_case, reports.settings, ["1", "2"], to, warned.append)
        assert [(d.message.version, d.failure) for d in done] == [("2", "")]
        assert [said.partition(" of run")[0] for said in warned] == [
            "nothing was decided on version 1: verdict.json",
            "alert.json",
        ]
        reports.add(3, judged("DRIFT", COLUMN), "1")
        reports.announce(receiver, version="1")
    assert told(receiver) == [("alarm", "2024-02-02"), ("alarm", "2024-02-03")]


def test_messages_for_a_channel_that_is_gone_take_no_room(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_PENDING", 1)
    with listening(Receiver(script=[404])) as webhook, listening(Receiver()) as slack:
        reports.add(1, judged("DRIFT", COLUMN))
        reports.announce(webhook)  # refused, and then the webhook is taken away
        reports.add(2, judged("OK"))
        only_slack = {"slack": channels(reports.reach(webhook, slack))["slack"]}
        announce(reports.use_case, reports.settings, ["1"], only_slack)
    assert len(slack.got) == 1


def test_two_runs_at_once_tell_once(reports: Reports) -> None:
    reports.add(1, judged("DRIFT", COLUMN))
    with listening(Receiver()) as receiver:
        both = [threading.Thread(target=reports.announce, args=(receiver,)) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert len(receiver.got) == 1


def test_who_configures_a_channel_later_hears_of_what_is_open(reports: Reports) -> None:
    reports.add(1, judged("DRIFT", COLUMN))
    assert reports.announce() == ()
    reports.add(2, hushed(judged("DRIFT", COLUMN)))
    with listening(Receiver()) as receiver:
        reports.announce(receiver)
    assert told(receiver) == [("alarm", "2024-02-02")]


def hushed(found: JudgedWindow) -> JudgedWindow:
    """The same within the cool-down of an earlier alarm."""
    return replace(found, verdict=replace(found.verdict, alarms=()))


def test_a_notice_is_told_once_for_what_it_is_about_and_once_when_it_is_over(
    reports: Reports,
) -> None:
    def run(receiver: Receiver, *notices: Notice) -> tuple[Delivery, ...]:
        to = channels(reports.reach(receiver))
        return announce(reports.use_case, reports.settings, [], to, notices=notices)

    first, second = refused("a", ("size is missing.",), "/#/a"), refused("b", ("b.",), "")
    with listening(Receiver(script=[404])) as receiver:
        assert run(receiver, taken()) == ()
        (failed,) = run(receiver, first)
        assert failed.line.startswith("WARNING: webhook did not take the alarm: DELIVERY_REFUSED: ")
        assert run(receiver, first)[0].line == "alert: alarm: DELIVERY_REFUSED: sent to webhook"
        for notice in (first, second, first, second, taken(), taken(), first):
            run(receiver, notice)
    found = [json.loads(d.body) for d in receiver.accepted]
    assert [f["type"].removeprefix("monitoring.") for f in found] == [
        "alarm",
        "alarm",
        "recovery",
        "alarm",
    ]
    assert [f["data"]["reasons"][0] for f in found] == [
        "size is missing.",
        "b.",
        "A delivery of the source was taken in again.",
        "size is missing.",
    ]
    assert found[0]["data"]["report"] == "http://127.0.0.1:5000/#/a"
    assert f"/#/experiments/{reports.where}/runs/" in found[1]["data"]["report"]
    runs = reports.client.search_runs([reports.where], f"tags.{NOTICE_TAG} = 'refused_delivery'")
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert read_history(reports.client, reports.where, "1").runs == ()


def test_jobs_that_are_well_again_are_told(reports: Reports) -> None:
    with listening(Receiver()) as receiver:
        to = channels(reports.reach(receiver))
        for notice in (job_failed.failed("retrain", 3, "was killed"), job_failed.well()):
            announce(reports.use_case, reports.settings, [], to, notices=[notice])
    found = [json.loads(d.body)["data"]["reasons"][0] for d in receiver.accepted]
    assert found == [
        "The job retrain failed 3 times in a row; the last time it was killed.",
        "Every job of the scheduler does its work again.",
    ]


def test_of_a_version_that_no_report_judged_nobody_is_told(reports: Reports) -> None:
    with listening(Receiver()) as receiver:
        assert reports.announce(receiver) == ()
        reports.add(1, judged("NO_DATA"))
        assert reports.announce(receiver) == ()
    assert receiver.got == []


def test_a_store_that_is_damaged_by_now_is_one_line_and_no_failure(
    reports: Reports, home: Path
) -> None:
    said: list[str] = []
    (home / "mlflow.db").write_bytes(b"no database any more" * 1000)
    with listening(Receiver()) as receiver:
        tell(reports.use_case, reports.reach(receiver), said.append, ["1"])
    (line,) = said
    assert line.startswith("WARNING: alerts wait for the next run: MLflow's store is damaged")
