"""What earlier reports say to a later one, and what a report's head says of a fall that is only
estimated."""

from datetime import UTC, datetime

from mlflow import MlflowClient

from contract.use_case.model import UseCase
from monitoring.report.evidently_pages import NO_PAGES
from monitoring.report.figures import WindowReport
from monitoring.report.history import read_history
from monitoring.report.report import markdown
from tests.monitoring.alerts.test_announce import COLUMN, Reports, judged


def test_no_more_windows_are_looked_back_at_than_the_policy_asks(
    client: MlflowClient, use_case: UseCase
) -> None:
    reports = Reports(client, use_case)
    for day, found in ((1, judged("OK")), (2, judged("DRIFT", COLUMN)), (3, judged("OK"))):
        reports.add(day, found)
    policy = use_case.monitoring.model_copy(update={"of_last": 3, "cool_down": 1})
    history = read_history(client, reports.where, "1")
    past = history.before(datetime(2024, 2, 4, tzinfo=UTC), policy, print)
    assert [sorted(verdict.signals) for verdict in past] == [[COLUMN], []]


def test_a_fall_that_is_only_estimated_is_no_drift(client: MlflowClient, use_case: UseCase) -> None:
    observed = Reports(client, use_case).observed(1, "1")
    said = markdown(WindowReport(observed, judged("WATCH"), NO_PAGES, 1, ""))
    assert said.startswith("## WATCH: no drift, but the estimated performance has fallen")
